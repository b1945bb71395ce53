"""Baselines and controls: one file a kind, one line here each arm. The names are those printed in every table."""

from evodev.baselines.base import Arm, Baseline, Setting
from evodev.baselines.controls import (
    FreshWeights,
    InitialGenome,
    NeutralDrift,
    RandomGenome,
    Rewired,
    ShuffledGenome,
    ShuffledWeights,
)
from evodev.baselines.convolution import Convolutional
from evodev.baselines.dense import Dense, EqualSynapses
from evodev.baselines.densities import LayerDensities
from evodev.baselines.learning_off import LearningOff
from evodev.baselines.local import LocallyConnected
from evodev.baselines.meta import MetaLearned
from evodev.baselines.moving import Moving
from evodev.baselines.neighbours import PixelNeighbours
from evodev.baselines.pruning import Pruned
from evodev.baselines.random_networks import EvolvedHyperparameters, SameLearner, TunedGrid
from evodev.baselines.relabelled import Relabelled
from evodev.baselines.tuned import RandomSearch

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
    "MAML": MetaLearned("maml"),
    "first-order MAML": MetaLearned("first-order maml"),
    "Reptile": MetaLearned("reptile"),
    "ANIL": MetaLearned("anil"),
    "Meta-SGD": MetaLearned("meta-sgd"),
    "multi-task pretraining": MetaLearned("pretraining"),
    "random genome": RandomGenome(),
    "neutral drift": NeutralDrift(),
    "rewired mask, same degrees": Rewired("degrees"),
    "rewired mask, same layers": Rewired("layers"),
    "rewired mask, same density": Rewired("density"),
    "neurons relabelled": Relabelled(),
    "learning off": LearningOff(),
    "magnitude pruning": Pruned("magnitude"),
    "SNIP": Pruned("snip"),
    "GraSP": Pruned("grasp"),
    "SynFlow": Pruned("synflow"),
    "SET": Moving("random"),
    "RigL": Moving("gradient"),
    "nearest centroid on inputs": PixelNeighbours("centroid"),
    "1-NN on inputs": PixelNeighbours("nearest"),
}

__all__ = ["BASELINES", "Arm", "Baseline", "Setting"]
