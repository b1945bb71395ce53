"""The arena: every decoder on four kinds of worlds, beside the strongest arms of each kind; one table, one figure.

    python -m benchmarks.arena [--budget quick|overnight|gpu] [--seeds K] [--only NAME ...] [--finished]

What is equal for all decoders in a world: task, substrate, learner, the genome's numbers (each preset's knobs are set to come
as near to the world's number as they can; what ends more than 15% off is flagged), the synapse budget, strategy, population,
lives, generations, seeds, and the test lives. ``direct`` has a gene a synapse and no knob. ``ndp`` wires only what growth has
linked, so that it can have fewer synapses than the budget; what each has is told. Presets have their published parts, with
the budget for their sparsity and an evolved scale a projection wherever their wiring has one to offer.

Beside them, in the same worlds and within the same number of outer lives:

- the same learner on a random sparse network of as many synapses, and on the raw inputs without a network: its own numbers
  evolve, so that what development adds can be told from what the learner does (on the inputs it is kernel nearest neighbours,
  logistic or linear regression, a linear policy);
- backprop from scratch, dense and random sparse (policy gradient where the world is acted in), rates and initial scales
  evolved;
- sparse training at the same number of synapses: SNIP, RigL; and MAML, whose inner rate is chosen on validation lives;
- each decoder's genome before any selection (open dots in the figure).

A score is 1 - AULC / loss of ignorance, on lives of the test family that are the same for all arms and seeds: 1 is perfect
from the first probe on, 0 knows nothing. No probe counts more than six times ignorance (on sines the square of the largest
amplitude), and one that is not finite counts as that. The unit is the outer seed. Over worlds arms are ranked by the
interquartile mean of all seeds and worlds (Agarwal et al. 2021, arXiv 2108.13264), with a stratified bootstrap. The strongest
rival of a world is chosen after the fact, for the rivals' benefit.

Written down before the run, what is expected:

1. ``retinotopic`` is the best decoder on digits and on MNIST-1D, where neighbours belong together; on sines and CartPole,
   where there is no such prior, it is not.
2. ``ndna``, whose weights are drawn at random, is no better than the random sparse network with the same learner.
3. ``direct`` is below the best compact decoder on digits, where it has fourteen times the numbers for the same lives, and at
   least as good on CartPole, where it has not.
4. The best decoder of each world beats its strongest rival that has no genome; on sines MAML is that rival, and wins.
"""
