"""What was typed after `evodev search`, and the configuration that it means."""

import contextlib
import dataclasses
import io
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any


def parse(kind: Any, arguments: list[str], *, prog: str, default: Any = None) -> Any:
    """tyro, with its framed messages folded to one line.

    Raises:
        ValueError: for anything that tyro does not accept.
    """
    import tyro

    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            extra = {} if default is None else {"default": default}
            return tyro.cli(kind, args=arguments, prog=prog, **extra)
    except SystemExit as stop:
        if not stop.code:
            raise
        text = re.sub(r"[─-╿]+|-{5,}", " ", message.getvalue())  # frames, which are dashes where there is no UTF-8
        text = " ".join(text.split())
        text = re.sub(r"For full helptext.*", f"See {prog} --help", text)
        raise ValueError(_plainly(text)) from None


def _plainly(text: str) -> str:
    """What tyro says is wrong, with the option in front; as it is where it is none of what is usual."""
    if found := re.search(r"Error parsing (--[^\s:]+): .*?('.*?')\]?\.? .*helptext: \S+ (?:\{None\}\|)?(\[.*?\]\]|\S+)", text):
        return f"{found[1]}: expected {found[3]}, given {found[2]}"
    if found := re.search(r"Missing value for argument '(--\S+)'", text):
        return f"{found[1]}: expected a value"
    if found := re.search(r"invalid choice ('.*?') for argument '(--\S+)'\. Expected one of \((.*?)\)", text):
        return f"{found[2]}: expected one of {found[3]}, given {found[1]}"
    if found := re.search(r"Unrecognized options: (.+?),? (?:.*Perhaps you meant: (--[^\s,]+))?.*See (.* --help)", text):
        unknown = "no such option" if found[1].startswith("-") else "nothing like that is expected there"
        return f"{found[1]}: {unknown}; " + (f"did you mean {found[2]}?" if found[2] else f"see {found[3]}")
    return text


def concrete(value: Any) -> tuple[Any, Any]:
    """A dataclass like the value's, each field of the type that its value has; and the value as one of those.

    An experiment's parts are abstract (`a learner`); flags are made for the parts at hand (`Hebbian`). What its docstring
    says of them becomes their help.
    """
    from evodev.presets import readable
    from evodev.substrate import ACTIVATIONS

    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return type(value), value
    hints = typing.get_type_hints(type(value))
    made, values = [], {}
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        if not field.init or not _settable(hints[field.name], content):
            continue
        if dataclasses.is_dataclass(content):
            kind, content = concrete(content)
        elif isinstance(content, tuple) and content and dataclasses.is_dataclass(content[0]):
            pairs = [concrete(entry) for entry in content]
            kind, content = tuple[tuple(p[0] for p in pairs)], tuple(p[1] for p in pairs)  # type: ignore[misc]
        else:
            kind = type(content) if typing.get_origin(hints[field.name]) is None else _plain_hint(hints[field.name], content)
        made.append((field.name, kind, dataclasses.field()))
        values[field.name] = content
    cls = dataclasses.make_dataclass(type(value).__name__, made, frozen=True)
    cls.__doc__ = readable(type(value).__doc__ or "").replace("ACTIVATIONS", ", ".join(ACTIVATIONS))
    return cls, cls(**values)


def _plain_hint(hint: Any, content: Any) -> Any:
    return hint if not _is_open(hint) else type(content)


def _is_open(hint: Any) -> bool:
    """Whether a hint admits more than a command line can say (an optax object, a function)."""
    return any(not (a is type(None) or a in (int, float, str, bool)) for a in typing.get_args(hint)) and typing.get_origin(
        hint
    ) not in (tuple, dict, typing.Literal)


def _settable(hint: Any, content: Any) -> bool:
    if dataclasses.is_dataclass(content):
        return True
    if content == ():  # what could stand in it must be plain to say
        return typing.get_args(hint) in [(kind, ...) for kind in (str, int, float)]
    return content is not None and not callable(content)


def rebuilt(original: Any, typed: Any) -> Any:
    """The original dataclass with what was typed put in its place; checks of every part run again."""
    if not dataclasses.is_dataclass(original) or isinstance(original, type):
        return typed
    changes = {}
    for field in dataclasses.fields(typed):
        before, after = getattr(original, field.name), getattr(typed, field.name)
        if isinstance(before, tuple) and before and dataclasses.is_dataclass(before[0]):
            changes[field.name] = tuple(rebuilt(b, a) for b, a in zip(before, after, strict=True))
        else:
            changes[field.name] = rebuilt(before, after)
    return dataclasses.replace(original, **changes)


@dataclass(frozen=True)
class SearchOptions:
    """Run a search, then compare and report.

    PRESET is one of PRESETS; the first by default.
    --config FILE starts from a configuration file instead of a preset; --decoder NAME and --learner NAME exchange that
    part (see evodev list). Every setting below can be given too.

    Attributes:
        out: directory of the run; must not exist. runs/PRESET by default, with a number if that is taken.
        generations: generations of the search; as the preset says by default.
        seeds: searches to run, on consecutive seeds, in OUT/seed-N.
        search_only: stop after the search; compare and report later with evodev compare and evodev report.
        track: write OUT/tensorboard too; needs pip install 'evodev-jax[track]'.
    """

    out: Path | None = None
    generations: int | None = None
    seeds: int = 1
    search_only: bool = False
    track: bool = False


def take_option(arguments: list[str], name: str) -> str | None:
    """Remove ``--name VALUE`` or ``--name=VALUE`` and return the value."""
    for i, argument in enumerate(arguments):
        if argument == name:
            if i + 1 >= len(arguments):
                raise ValueError(f"{name}: expected a value")
            value = arguments[i + 1]
            del arguments[i : i + 2]
            return value
        if argument.startswith(name + "="):
            del arguments[i]
            return argument.partition("=")[2]
    return None


def experiment_from(arguments: list[str]) -> tuple[str, Any, SearchOptions]:
    """Name, experiment and options of ``evodev search``.

    Raises:
        ValueError: naming the field.
    """
    from evodev.decoders import DECODERS, Decoder
    from evodev.experiment import fitted, from_plain
    from evodev.learners import Learner
    from evodev.presets import PRESETS, preset
    from evodev.runs import load_experiment

    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else None
    config = take_option(arguments, "--config")
    if config and name:
        raise ValueError(f"config: give a preset ({name}) or --config, not both")
    experiment = load_experiment(Path(config)) if config else preset(name or next(iter(PRESETS)))
    decoder, learner = take_option(arguments, "--decoder"), take_option(arguments, "--learner")
    if decoder:
        grown = from_plain(Decoder, decoder, "decoder")
        fraction = getattr(experiment.decoder.sparsity, "fraction", None)
        if fraction is not None and grown == DECODERS[decoder]:
            grown = dataclasses.replace(grown, sparsity=experiment.decoder.sparsity)
        experiment = dataclasses.replace(experiment, decoder=grown)
    if learner:
        experiment = dataclasses.replace(experiment, learner=from_plain(Learner, learner, "learner"))
    kind, typed = concrete(experiment)
    fields = [
        (f.name, f.type, dataclasses.field(default=getattr(SearchOptions(), f.name))) for f in dataclasses.fields(SearchOptions)
    ]
    import tyro

    fields.append(("experiment", Annotated[kind, tyro.conf.arg(name="")], dataclasses.field(default_factory=lambda: typed)))
    both = dataclasses.make_dataclass("Search", fields, frozen=True)
    both.__doc__ = (SearchOptions.__doc__ or "").replace("PRESETS", ", ".join(PRESETS))
    parsed = parse(both, arguments, prog="evodev search [PRESET]")
    options = SearchOptions(**{f.name: getattr(parsed, f.name) for f in dataclasses.fields(SearchOptions)})
    if options.seeds < 1:
        raise ValueError(f"seeds: must be at least 1, given {options.seeds}")
    task = rebuilt(experiment.task, parsed.experiment.task)
    parts = {
        field.name: rebuilt(getattr(experiment, field.name), getattr(parsed.experiment, field.name))
        for field in dataclasses.fields(parsed.experiment)
    }
    if task != experiment.task:
        parts["substrate"] = fitted(parts["substrate"], task, parts["learner"])
    experiment = dataclasses.replace(experiment, **parts)
    if options.generations is not None:
        experiment = dataclasses.replace(
            experiment, schedule=dataclasses.replace(experiment.schedule, generations=options.generations)
        )
    experiment.strategy.build(experiment.organism.genome_spec.size, experiment.schedule.generations)  # raises if it cannot be
    return name or (Path(config).stem if config else next(iter(PRESETS))), experiment, options
