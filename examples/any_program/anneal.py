"""A program to be tuned: simulated annealing finds a short round trip through random cities.

It knows nothing of Octavo: it reads its arguments and prints its result.
"""

import argparse
import math
import random

parser = argparse.ArgumentParser()
parser.add_argument("--temperature", type=float, required=True)
parser.add_argument("--cooling", type=float, required=True)
parser.add_argument("--move", choices=["swap", "reverse"], required=True)
parser.add_argument("--longest", type=int, default=2, help="cities reversed at most")
parser.add_argument("--steps", type=int, default=4000)
parser.add_argument("--seed", type=int, default=0)
given = parser.parse_args()

world = random.Random(1)
cities = [(world.random(), world.random()) for _ in range(40)]
luck = random.Random(given.seed)


def length(tour):
    return sum(
        math.dist(cities[a], cities[b]) for a, b in zip(tour, tour[1:] + tour[:1], strict=True)
    )


def neighbour(tour):
    i = luck.randrange(len(tour))
    new = list(tour)
    if given.move == "swap":
        j = luck.randrange(len(tour))
        new[i], new[j] = new[j], new[i]
    else:
        j = min(len(tour), i + luck.randint(2, max(2, given.longest)))
        new[i:j] = reversed(new[i:j])
    return new


tour, temperature = list(range(len(cities))), given.temperature
now = length(tour)
for step in range(given.steps):
    candidate = neighbour(tour)
    then = length(candidate)
    if then < now or luck.random() < math.exp((now - then) / temperature):
        tour, now = candidate, then
    temperature = max(temperature * given.cooling, 1e-9)
    if step % 1000 == 999:
        print(f"step {step + 1} length {now:.4f}", flush=True)
print(f"final length: {now:.4f}")
