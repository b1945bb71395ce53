"""Baselines and controls: one file a kind, one line here each arm. The names are those printed in every table."""

from dataclasses import replace

from evodev.baselines.base import Arm, Baseline, Setting
from evodev.baselines.controls import (
    FreshWeights,
    InitialGenome,
    NeutralDrift,
    RandomGenome,
    Rewired,
    ShuffledGenome,
    ShuffledWeights,
    SpectrumMatched,
)
from evodev.baselines.convolution import Convolutional
from evodev.baselines.decoded import ThroughDecoder
from evodev.baselines.dense import Dense, EqualSynapses
from evodev.baselines.densities import LayerDensities
from evodev.baselines.direct import EvolvedWeights, RandomGenomes
from evodev.baselines.distilled import Distilled
from evodev.baselines.factorial import family
from evodev.baselines.learning_off import LearningOff
from evodev.baselines.local import LocallyConnected
from evodev.baselines.logistic import PixelLogistic
from evodev.baselines.lottery import Lottery
from evodev.baselines.meta import MetaLearned
from evodev.baselines.moving import Moving
from evodev.baselines.neighbours import PixelNeighbours
from evodev.baselines.pruning import Pruned
from evodev.baselines.random_networks import EvolvedHyperparameters, SameLearner, TunedGrid
from evodev.baselines.references import Line, MeanTarget
from evodev.baselines.relabelled import Relabelled
from evodev.baselines.tuned import RandomSearch

NARROW = (128, 64)
"""Hidden layers of arms that can be trained where the champion's substrate is too large for it: an outer step of MAML takes 5 s
and 8 GB on the 2.5 million synapses of the preset few-shot-digits (one core), and .03 s here."""

META = {
    "MAML": MetaLearned("maml"),
    "first-order MAML": MetaLearned("first-order maml"),
    "Reptile": MetaLearned("reptile"),
    "ANIL": MetaLearned("anil"),
    "Meta-SGD": MetaLearned("meta-sgd"),
    "multi-task pretraining": MetaLearned("pretraining"),
}

BASELINES: dict[str, Baseline] = {
    "dense, tuned backprop": TunedGrid("dense"),
    "random sparse, tuned backprop": TunedGrid("sparse"),
    "dense + evolved hyperparameters": EvolvedHyperparameters("dense"),
    "random sparse + evolved hyperparameters": EvolvedHyperparameters("sparse"),
    "dense + champion's learner": SameLearner("dense"),
    "random sparse + champion's learner": SameLearner("sparse"),
    "initial genome": InitialGenome(),
    "shuffled genome": ShuffledGenome(),
    "champion's mask, fresh weights": FreshWeights(),
    "champion's mask, shuffled weights": ShuffledWeights(),
    "dense of equal synapses": EqualSynapses(),
    "dense, tuned optimiser and width": RandomSearch(Dense()),
    "random sparse, layer densities of the champion": LayerDensities("champion"),
    "random sparse, ERK": LayerDensities("erk"),
    "locally connected": LocallyConnected(),
    "CNN": Convolutional(),
    "CNN, random features": Convolutional(readout_only=True),
    "CNN, tuned optimiser and width": RandomSearch(Convolutional()),
    **META,
    **{f"{name}, narrow": replace(baseline, hidden=NARROW) for name, baseline in META.items()},
    "MAML through the decoder": ThroughDecoder(),
    "distilled from a dense teacher": Distilled(),
    "ES on direct weights": EvolvedWeights(),
    "ES on direct weights, narrow": EvolvedWeights(NARROW),
    "random search": RandomGenomes(),
    "random genome": RandomGenome(),
    "neutral drift": NeutralDrift(),
    "rewired mask, same degrees": Rewired("degrees"),
    "rewired mask, same layers": Rewired("layers"),
    "rewired mask, same density": Rewired("density"),
    "champion's spectrum, random vectors": SpectrumMatched(),
    "neurons relabelled": Relabelled(),
    "learning off": LearningOff(),
    **family(),
    "magnitude pruning": Pruned("magnitude"),
    "lottery ticket (IMP, rewound)": Lottery(),
    "SNIP": Pruned("snip"),
    "GraSP": Pruned("grasp"),
    "SynFlow": Pruned("synflow"),
    "SET": Moving("random"),
    "RigL": Moving("gradient"),
    "nearest centroid on inputs": PixelNeighbours("centroid"),
    "1-NN on inputs": PixelNeighbours("nearest"),
    "logistic regression on inputs": PixelLogistic(),
    "mean of the targets": MeanTarget(),
    "chance": Line("chance"),
    "oracle": Line("oracle"),
}

__all__ = ["BASELINES", "Arm", "Baseline", "Setting"]
