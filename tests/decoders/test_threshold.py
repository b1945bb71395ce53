import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from evodev.decoders.base import NEVER, Decoder, Sparsity, Wires
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Bernoulli, Budget, FanIn, StraightThrough, Threshold
from evodev.decoders.wiring.direct import Direct
from evodev.substrate import mlp

KEY = jax.random.key(0)
NET, NAME = mlp((2, 3), activation="linear"), "input->output"
LOGITS = jnp.array([[0.5, -2.0, 3.0], [1.0, 2.0, -0.5]])  # mean size 1.5


def _mask(
    sparsity: Sparsity, logits: jax.Array = LOGITS, *, windows: dict | None = None, key=KEY, **genes: list[float]
) -> jax.Array:
    wires = Wires({NAME: logits}, {NAME: logits}, {}, {})
    values = {name: jnp.asarray(value) for name, value in genes.items()}
    return sparsity.select(values, wires, windows or {}, NET, key=key)[NAME]


def test_a_fixed_threshold_is_on_the_logit_itself() -> None:
    fixed = Threshold(0.9, evolved=False, relative=False)
    assert fixed.genome_spec({}, NET).size == 0
    np.testing.assert_array_equal(_mask(fixed), [[0, 0, 1], [1, 1, 0]])


def test_an_evolved_threshold_is_in_mean_sizes_of_a_logit() -> None:
    assert Threshold().genome_spec({}, NET).slices == {"thresholds": slice(0, 1)}
    for scale in (1.0, 1e-6, 1e6):  # 1 x 1.5 = 1.5; with all logits scaled the same synapses
        np.testing.assert_array_equal(_mask(Threshold(), scale * LOGITS, thresholds=[1.0]), [[0, 0, 1], [0, 1, 0]])


def test_only_what_can_be_counts_and_can_be_kept() -> None:
    # without the impossible 3 the mean size is 1.2, and 0.8 x 1.2 < 1
    windows = {NAME: np.array([[True, True, False], [True, True, True]])}
    np.testing.assert_array_equal(_mask(Threshold(), windows=windows, thresholds=[0.8]), [[0, 0, 0], [1, 1, 0]])
    never = LOGITS.at[0, 2].set(NEVER)
    np.testing.assert_array_equal(_mask(Threshold(), never, thresholds=[0.8]), [[0, 0, 0], [1, 1, 0]])
    for sparsity in (Threshold(), StraightThrough(), Bernoulli()):
        mask = _mask(sparsity, never, windows=windows, thresholds=[-1e9])
        np.testing.assert_array_equal(mask, [[1, 1, 0], [1, 1, 1]])


def _gradients(sparsity: Sparsity, **genes: list[float]) -> tuple[jax.Array, dict[str, jax.Array]]:
    return jax.grad(lambda x, genes: _mask(sparsity, x, **genes).sum(), (0, 1))(
        LOGITS, {k: jnp.asarray(v) for k, v in genes.items()}
    )


@pytest.mark.parametrize(("progress", "temperature"), [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0), (None, 3.0)])
def test_straight_through_is_hard_forward_and_a_sigmoid_backward(progress: float | None, temperature: float) -> None:
    rule = StraightThrough(0.9, relative=False, temperature=(1.0, 3.0))

    def both(progress: jax.Array | None) -> tuple[jax.Array, tuple]:
        now = rule if progress is None else rule.at(progress)
        return _mask(now, thresholds=[0.9]), _gradients(now, thresholds=[0.9])

    mask, (to_logits, to_genes) = both(None) if progress is None else jax.jit(both)(jnp.asarray(progress))
    np.testing.assert_array_equal(mask, [[0, 0, 1], [1, 1, 0]])
    soft = 1 / (1 + np.exp(-temperature * (np.asarray(LOGITS) - 0.9)))
    np.testing.assert_allclose(to_logits, temperature * soft * (1 - soft), rtol=1e-4)
    np.testing.assert_allclose(to_genes["thresholds"], [-(temperature * soft * (1 - soft)).sum()], rtol=1e-4)


def test_a_plain_threshold_passes_no_gradient() -> None:
    to_logits, to_genes = _gradients(Threshold(), thresholds=[1.0])
    assert (to_logits == 0).all() and (to_genes["thresholds"] == 0).all()  # noqa: PT018


def test_bernoulli_draws_with_the_sigmoids_probability() -> None:
    rule = Bernoulli(0.0, evolved=False, relative=False, sharpness=0.5)
    masks = jax.vmap(lambda key: _mask(rule, key=key))(jax.random.split(KEY, 4000))
    assert set(np.unique(masks)) == {0, 1}
    np.testing.assert_allclose(masks.mean(0), 1 / (1 + np.exp(-0.5 * np.asarray(LOGITS))), atol=0.04)
    np.testing.assert_array_equal(_mask(rule, key=KEY), _mask(rule, key=KEY))


@pytest.mark.parametrize("sparsity", [Budget(1 / 3, slope=2.0), FanIn(1, slope=2.0), Budget(1 / 2, per_neuron=True, slope=2.0)])
def test_the_masks_of_counts_can_be_trained_too(sparsity: Sparsity) -> None:
    plain = type(sparsity)(**{k: v for k, v in vars(sparsity).items() if k != "slope"})
    np.testing.assert_array_equal(_mask(sparsity), _mask(plain))
    assert (_gradients(plain)[0] == 0).all()
    # what comes first after those that are kept: the third largest of all, the second of each column
    least = 1.0 if sparsity == Budget(1 / 3, slope=2.0) else np.array([0.5, -2.0, -0.5])
    soft = 1 / (1 + np.exp(-2 * (np.asarray(LOGITS) - least) / 1.5))
    np.testing.assert_allclose(_gradients(sparsity)[0], 2 / 1.5 * soft * (1 - soft), rtol=1e-4)


def test_a_count_that_keeps_a_whole_column_has_finite_gradients() -> None:
    windows = {NAME: np.array([[True, True, False], [True, False, False]])}
    gradient = jax.grad(lambda x: _mask(FanIn(2, slope=1.0), x, windows=windows).sum())(LOGITS)
    assert jnp.isfinite(gradient).all()


@pytest.mark.parametrize("sparsity", [StraightThrough(0.0, relative=False, evolved=False), Budget(0.5, slope=3.0)])
def test_a_decoder_is_trained_through_its_mask(sparsity: Sparsity) -> None:
    """The genes of the wish and of the weight are apart: only a mask with a gradient can learn which synapses to keep."""
    net = mlp((4, 2), activation="linear")
    decoder = Decoder(CellTypes(), Direct(channels=("logit",)), sparsity)
    wanted = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    spec = decoder.genome_spec(net)
    genome = 0.1 * jax.random.normal(jax.random.key(3), (spec.size,))
    genome = genome.at[spec.slices[f"wiring/{NAME}/weight"]].set(1.0)
    own = jnp.zeros(spec.size).at[spec.slices[f"wiring/{NAME}/logit"]].set(1.0)

    @jax.jit
    def train(genome: jax.Array) -> tuple[jax.Array, jax.Array]:
        optimiser = optax.adam(0.3)

        def step(carry: tuple, progress: jax.Array) -> tuple[tuple, None]:
            genome, memory = carry

            def loss(genome: jax.Array) -> jax.Array:
                return ((decoder.at(progress).grow(genome, net, key=KEY).masks[NAME] - wanted) ** 2).sum()

            updates, memory = optimiser.update(own * jax.grad(loss)(genome), memory)
            return (genome + updates, memory), None

        (genome, _), _ = jax.lax.scan(step, (genome, optimiser.init(genome)), jnp.linspace(0, 1, 60))
        return genome, decoder.grow(genome, net, key=KEY).masks[NAME]

    assert not np.array_equal(decoder.grow(genome, net, key=KEY).masks[NAME], wanted)
    np.testing.assert_array_equal(train(genome)[1], wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StraightThrough(temperature=(0.0, 1.0)), "temperature needs a positive start and end"),
        (lambda: Bernoulli(sharpness=0.0), "sharpness must be positive"),
    ],
)
def test_impossible_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
