"""aiohttp on asyncio: one thread, a pooled client, gather for branches.

Usage: loop.py PORT
"""

import asyncio
import random
import sys
import time

import aiohttp
from aiohttp import web

import plan

CONNECTIONS = 16


class Server:
    def __init__(self):
        self.jobs = asyncio.Queue()
        self.session = None
        self.background = []

    async def start(self, _app):
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        self.session = aiohttp.ClientSession(connector=connector)
        self.background = [asyncio.create_task(self.work()), asyncio.create_task(self.tick())]

    async def handle(self, incoming):
        request = plan.Request(incoming.path_qs)
        for step in request.steps:
            if step.when == "job":
                self.jobs.put_nowait((request, step))
            elif step.when == "now":
                await self.run(request, step, "now")
        response = web.StreamResponse(headers={"Content-Length": "5"})
        await response.prepare(incoming)
        await response.write_eof(b"done\n")
        for step in request.steps:
            if step.when == "after":
                await self.run(request, step, "after")
        return response

    async def run(self, request, step, when):
        if len(step.branches) == 1:
            await self.run_branch(request, step.branches[0], when)
        else:
            branches = [self.run_branch(request, branch, when) for branch in step.branches]
            await asyncio.gather(*branches)

    async def run_branch(self, request, branch, when):
        for act in branch:
            if (wait := plan.amount(act, "t")) is not None:
                await asyncio.sleep(wait * random.uniform(0.5, 1.5))
            elif (work := plan.amount(act, "c")) is not None:
                end = time.perf_counter() + work
                while time.perf_counter() < end:
                    pass
            else:
                await self.call(request.url(act, when))

    async def call(self, url):
        try:
            async with self.session.get(url) as response:
                await response.read()
        except aiohttp.ClientError:
            pass

    async def work(self):
        while True:
            request, step = await self.jobs.get()
            await self.run(request, step, "job")

    async def tick(self):
        while plan.TIMER:
            await asyncio.sleep(plan.tick())
            timer = plan.Request()
            for step in timer.steps:
                await self.run(timer, step, "timer")


async def application():
    server = Server()
    app = web.Application()
    app.on_startup.append(server.start)
    app.router.add_get("/{route}", server.handle)
    return app


web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
