"""How servers with threads do their work: one session of requests for all."""

import queue
import random
import threading
import time

import requests
from requests.adapters import HTTPAdapter

import plan

session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=32))
jobs = queue.Queue()
background = threading.Lock()


def run(request, step, when="now", parallel=map):
    list(parallel(lambda branch: run_branch(request, branch, when), step.branches))


def run_branch(request, branch, when):
    for act in branch:
        if (wait := plan.amount(act, "t")) is not None:
            time.sleep(wait * random.uniform(0.5, 1.5))
        elif (work := plan.amount(act, "c")) is not None:
            end = time.perf_counter() + work
            while time.perf_counter() < end:
                pass
        else:
            call(request.url(act, when))


def call(url):
    try:
        session.get(url, timeout=10).content
    except requests.RequestException:
        pass


def handle(request, parallel=map):
    """All that is to be done before the response."""
    for step in request.steps:
        if step.when == "job":
            jobs.put((request, step))
        elif step.when == "now":
            run(request, step, parallel=parallel)


def finish(request):
    """All that is to be done after it."""
    for step in request.steps:
        if step.when == "after":
            run(request, step, "after")


def start_background():
    """Starts the worker and the timer of this process, once."""
    if background.acquire(blocking=False):
        threading.Thread(target=work, daemon=True).start()
        threading.Thread(target=tick, daemon=True).start()


def work():
    while True:
        request, step = jobs.get()
        run(request, step, "job")


def tick():
    while plan.TIMER:
        time.sleep(plan.tick())
        timer = plan.Request()
        for step in timer.steps:
            run(timer, step, "timer")
