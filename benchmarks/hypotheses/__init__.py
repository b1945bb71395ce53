"""The essays' claims, an experiment each: ``python -m benchmarks.hypotheses NAME`` (or ``evodev experiment NAME``)."""

CLAIMS = (
    "sample_efficiency", "reachability", "energy", "topology", "svd", "planet", "crystal", "octopus", "canalisation",
    "critical_periods", "laws", "neurons", "modality", "distillation", "variation", "robustness", "information", "duplication",
    "forgetting", "editing", "culture", "genome_size", "in_context", "regularity", "umwelt", "bottleneck", "prior",
)  # fmt: skip
"""Every claim by the name of its file; a claim's number is its place, from 1."""

UNTESTABLE = {
    "A datacenter running an LLM: 100 megawatts. A human brain: 20 watts.": "needs a datacentre and a brain; claim 3 asks "
    "what activity costs in small networks",
    "462 experiments across the community. All HP tuning. Zero architectural invention.": "needs language models that "
    "propose experiments; claim 15 asks what variation and selection do apart",
    "why are elephants not more general purpose than humans?": "needs elephants; claim 12 asks what more neurons buy",
    "When you ask a model to draw a tank 10 metres above the ground, what does it need to understand": "needs a model that draws",
}
"""The essays' words that cannot be tested on small hardware, and why."""
