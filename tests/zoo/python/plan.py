"""What a server of the zoo is told to do: see ../README.md."""

import itertools
import os
import random
import re
from collections import namedtuple
from urllib.parse import parse_qs, urlsplit

KINDS = {"now": 0, "job": 1, "after": 2, "timer": 3}

Step = namedtuple("Step", "chance when branches")


def parse(plan):
    steps = []
    for text in filter(None, plan.split(",")):
        chance, when, work = re.fullmatch(r"(?:(\d+)\?)?(?:(\w+):)?(.+)", text).groups()
        branches = [branch.split("+") for branch in work.split("|")]
        steps.append(Step(int(chance or 100), when or "now", branches))
    return steps


def pairs(variable):
    return [pair.split("=", 1) for pair in os.environ.get(variable, "").split(";") if pair]


ROUTES = {name: parse(plan) for name, plan in pairs("ROUTES")}
BACKENDS = dict(pairs("BACKENDS"))
TIMER = parse(os.environ.get("TIMER", ""))
COUNTER = itertools.count(1)


class Request:
    """An incoming request, or with no target a tick of the timer."""

    def __init__(self, target=None):
        url = urlsplit(target or "")
        query = parse_qs(url.query)
        self.id = int(query.get("id", ["0"])[0])
        self.order = query.get("order", [None])[0]
        routes = list(ROUTES.values())
        plan = ROUTES.get(url.path.strip("/")) or random.choice(routes) if target else TIMER
        self.steps = [step for step in plan if random.randrange(100) < step.chance]

    def url(self, backend, when):
        """The URL of one call that this request causes."""
        number = os.getpid() % 4096 << 20 | next(COUNTER) << 2 | KINDS[when]
        parent = self.id * 2654435761 % 2**32
        order = f"&order={self.order}" if self.order else ""
        return f"http://{BACKENDS[backend]}?id={number}&parent={parent}{order}"


def amount(act, letter):
    """The milliseconds in `t2` or `c0.5`, in seconds; None for other acts."""
    match = re.fullmatch(letter + r"([\d.]+)", act)
    return float(match[1]) / 1000 if match else None


def tick():
    """How long the timer sleeps, in seconds."""
    return random.uniform(0.05, 0.15)
