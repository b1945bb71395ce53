"""What a generation costs, on paper: arithmetic, bytes and messages, against population, network, genome, lives and devices.

Of one generation on D devices, shared out as a x b (``devices.division``), the busiest device spends

    block         b0                  started, synchronised and looked at, however small
    lives         ceil(P/a) ceil(L/b) max(flops / F, bytes / M)
    strategy      c P G               each device the whole of it: the strategy's state is replicated
    messages      m P L log           every log to every device; nothing else crosses

where P genomes of G numbers live L lives each. A life of T steps of B samples, probed K + 1 times on Q samples, on W
synapses, is 2 W operations a sample answered and three times that a sample learned from (less what is handed back to the
inputs). Its weights, their masks and gains are read forwards and backwards once a step, and the weights written: 5 x 4 W
bytes, from cache while a chunk fits there, else from memory. So lives are divided by D and the strategy is not: devices stop
helping where c P G comes near a device's share of the lives; b0 and messages, a few numbers a life, matter only where a
generation takes milliseconds."""

from dataclasses import dataclass

from evodev.devices import division
from evodev.organism import Organism
from evodev.tasks import Task


@dataclass(frozen=True)
class Work:
    """One life in numbers, and the genome behind it.

    Attributes:
        flops: floating-point operations of a life.
        traffic: bytes of weights, masks and gains read and written in a life.
        log: bytes written down of a life.
        genome: numbers in a genome.
    """

    flops: float
    traffic: float
    log: float
    genome: int


@dataclass(frozen=True)
class Machine:
    """One device and what joins it to the others.

    Attributes:
        rate: flops a second of a device on this work.
        memory: bytes a second of its memory; infinite where chunks stay in cache.
        strategy: seconds of ask and tell a genome number.
        message: seconds of gathering logs a byte.
        block: seconds of a generation with hardly anything in it.
    """

    rate: float
    memory: float
    strategy: float
    message: float
    block: float


def work_of(organism: Organism, task: Task, *, probes: int, probe_samples: int) -> Work:
    """The work of a learner by gradient on whole matrices, every projection learning.

    Args:
        organism: tells the matrices and the genome.
        task: tells steps and batch.
        probes: after birth.
        probe_samples: samples of a probe.
    """
    substrate = organism.substrate
    sizes = [substrate.shape(p)[0] * substrate.shape(p)[1] for p in substrate.projections]
    synapses = sum(sizes)
    first = sum(n for p, n in zip(substrate.projections, sizes, strict=True) if p.pre == substrate.input.name)
    learned = task.steps * task.batch * (6 * synapses - 2 * first)  # nothing is handed back to the inputs
    probed = (probes + 1) * probe_samples * 2 * synapses
    # loss and score at each probe, operations, synapses, failed
    return Work(learned + probed, task.steps * 20.0 * synapses, 4 * (2 * (probes + 1) + 2) + 1, organism.genome_spec.size)


def generation(work: Work, machine: Machine, population: int, lives: int, devices: int) -> dict[str, float]:
    """Seconds of a generation, part by part."""
    a, b = division(devices, population, lives)
    busiest = -(-population // a) * -(-lives // b)
    alone = devices == 1
    return {
        "block": machine.block,
        "lives": busiest * max(work.flops / machine.rate, work.traffic / machine.memory),
        "strategy": machine.strategy * population * work.genome,
        "messages": 0.0 if alone else machine.message * population * lives * work.log,
    }
