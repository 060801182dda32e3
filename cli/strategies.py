"""strategies, group: what can be evaluated."""

from __future__ import annotations

import math
import textwrap

import click

from nasbench_ws.cli.completion import complete_rankers
from nasbench_ws.cli.options import (
    fetch,
    own_space_option,
    quiet_option,
    recipe_option,
    root_option,
    table_option,
)
from nasbench_ws.cli.outputs import (
    check_output,
    csv_option,
    force_option,
    json_option,
    output_option,
    print_csv,
    print_json,
)
from nasbench_ws.cli.progress import Bar, paced
from nasbench_ws.errors import UsageError

EXAMPLE = '''class MyStrategy:
    """Few-shot: children with the same operation on edge 0-1 share."""

    def key(self, arch, slot):
        return arch.operation((0, 1))
'''


@click.command()
@click.argument("name", required=False, shell_complete=complete_rankers)
@table_option
@own_space_option
@csv_option
@json_option
def strategies(name: str | None, table: str, as_csv: bool, as_json: bool) -> None:
    """List what `evaluate` takes by name, or describe one by NAME.

    \b
    Example:
      nasbench-ws strategies
      nasbench-ws strategies prefix:2
    """
    if name is not None:
        if as_csv:
            raise UsageError(f"--csv prints the list, and {name} is one; leave out one of them")
        _describe(name, table, as_json)
        return
    listed = _listed()
    if as_json:
        print_json({"strategies": listed})
        return
    if as_csv:
        print_csv(listed)
        return
    for kind, heading, note in KINDS:
        if heading:
            click.echo(f"\n{heading}\n")
        for one in listed:
            if one["kind"] == kind:
                click.echo(f"{one['usage']:26} {one['help']}".rstrip())
        if note:
            click.echo(note)
    click.echo("\nYour own, in a file my.py, as `nasbench-ws evaluate my.py:MyStrategy`:\n")
    click.echo("\n".join(f"    {line}" for line in EXAMPLE.splitlines()))


KINDS = (  # of what is listed, with a heading before it and a note behind
    ("sharing", "", ""),
    ("trainer", "Other ways to train shared weights, at the multiply-adds of as many steps of full:", ""),
    (
        "ranker", "Rankings that share no weights, for `nasbench-ws evaluate` as well:",
        "\n`nasbench-ws strategies NAME` says how each differs from its paper.",
    ),
)  # fmt: skip


def _listed() -> list[dict[str, str]]:
    import importlib.metadata

    from nasbench_ws.rankers.named import NAMED
    from nasbench_ws.rankers.rows import ROWS
    from nasbench_ws.sharing.strategies import BUILT_IN, ENTRY_POINTS

    found = []
    for built_in in BUILT_IN.values():
        first, *others = built_in.usage.split(" | ")
        found.append({"kind": "sharing", "usage": first, "help": built_in.help})
        found += [{"kind": "sharing", "usage": usage, "help": ""} for usage in others]
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        found.append({"kind": "sharing", "usage": point.name, "help": f"installed: {point.value}"})
    found += [{"kind": "trainer", "usage": row.usage, "help": row.help} for row in ROWS.values()]
    found += [{"kind": "ranker", "usage": one.usage, "help": one.help} for one in NAMED.values()]
    return found


def _describe(name: str, table: str, as_json: bool) -> None:
    from nasbench_ws.rankers.named import NAMED
    from nasbench_ws.rankers.papers import PAPERS
    from nasbench_ws.rankers.rows import ROWS, options
    from nasbench_ws.tables.table import load

    head, colon, argument = name.partition(":")
    if head in ROWS:
        options(name)
        row = ROWS[head]
        _say(name, row.usage, row.help, row.paper, row.differences, as_json)
        return
    if head in NAMED:
        if colon:
            NAMED[head].make(argument, load(table))  # refuses what is not written so
        _say(name, NAMED[head].usage, NAMED[head].help, *PAPERS.get(head, ("", ())), as_json)
        return
    from nasbench_ws.rankers.plan import Plan
    from nasbench_ws.sharing.keys import call_key, check_less, components
    from nasbench_ws.sharing.schedules import name_of
    from nasbench_ws.sharing.strategies import PLUGINS, of_instance, resolve
    from nasbench_ws.space.child import child_network, parameter_count
    from nasbench_ws.space.registry import known_space

    opened, name = load(table), PLUGINS.whole_name(name)
    known_space(opened.space)  # refuses a --space that is another
    children = list(opened.space)
    strategy = resolve(of_instance(name, 0), opened.space, opened.macro)
    parts = components(opened.macro, children, strategy.key)
    check_less(opened.macro, children, [strategy.key, *(key for _, key in strategy.later)])
    plan = Plan(name, opened.recipe)
    width = max(plan.width([children[i] for i in part], strategy) for part in parts)
    sizes: dict[object, int] = {}  # of each distinct (slot, key)
    for arch in children:
        for slot, shapes in child_network(opened.macro, arch).layers():
            sizes[slot, call_key(strategy.key, arch, slot)] = sum(math.prod(shape) for shape in shapes)
    whole = sum(parameter_count(child_network(opened.macro, arch)) for arch in children)
    distinct = sum(sizes.values())
    schedule = name_of(strategy.schedule)
    least, most = min(map(len, parts)), max(map(len, parts))
    sizes_text = f"{least}" if least == most else f"{least} to {most}"
    if as_json:
        print_json({
            "strategy": name, "table": opened.digest, "super_nets": len(parts), "children": list(map(len, parts)),
            "schedule": schedule, "children_a_step": width, "parameters": distinct, "parameters_alone": whole,
            "shares_less_after": [part for part, _ in strategy.later],
        })  # fmt: skip
        return
    what = "one super-net" if len(parts) == 1 else f"{len(parts)} super-nets that share nothing with one another"
    where = "" if of_instance(name, 0) == name else ", as instance 0 divides them"
    click.echo(f"{name} on {opened.name}{where}: {what}, of {sizes_text} children; schedule {schedule}")
    click.echo(f"{distinct:,} distinct parameters for {whole:,} of the children together ({distinct / whole:.1%})")
    if width > 1:
        click.echo(
            f"{width} children a step: matched in child-updates, --steps {plan.steps} are {plan.steps // width} of "
            "these, so that every child is trained as often as by one a step"
        )
    for part, _ in strategy.later:
        click.echo(f"shares less after {part:.0%} of the steps")


def _say(name: str, usage: str, what: str, paper: str, differences: tuple[str, ...], as_json: bool) -> None:
    """Of what is no sharing strategy: what it does, what it is from, and how it differs from that."""
    if as_json:
        print_json({"strategy": name, "help": what, "paper": paper, "differences": list(differences)})
        return
    click.echo("\n".join([f"{usage}: {what}", *([paper] if paper else [])]))
    if differences:
        click.echo("\nDifferences:")
    for text in differences:
        click.echo(textwrap.fill(text, 79, initial_indent="* ", subsequent_indent="  "))


@click.command()
@output_option(help="The file of groups to write.", metavar="GROUPS.json", required=True)
@click.option("-m", "--groups", "count", default=8, show_default=True, type=click.IntRange(1), help="How many groups.")
@click.option(
    "--by", type=click.Choice(["gradients", "curves"]), default="gradients", show_default=True,
    help="Similarity of gradients on shared weights, or correlation of accuracies step by step.",
)  # fmt: skip
@click.option(
    "--steps", default=640, show_default=True, type=click.IntRange(1),
    help="Steps of the shared training beforehand.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed index of that training.")
@table_option
@recipe_option
@root_option
@force_option
@quiet_option
@json_option
def group(
    output: str, count: int, by: str, steps: int, seed: int, table: str, changes: str, data_root: str | None,
    download: bool, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Find groups of similar children from a short fully shared run.

    Only the table's recipe is used, never its accuracies.

    \b
    Example:
      nasbench-ws group -m 4 -o groups.json
      nasbench-ws evaluate groups:file:groups.json
    """
    from nasbench_ws.images.loaders import load_images
    from nasbench_ws.sharing.groups import balanced_groups, write_groups
    from nasbench_ws.tables.table import load

    check_output(output, force)
    opened = load(table)
    recipe = opened.recipe.override(changes)

    from nasbench_ws.training.similarity import curve_correlations, gradient_similarities

    fetch(recipe.images, data_root, download)
    images = load_images(recipe.images, ("train", "valid"), data_root)
    find = gradient_similarities if by == "gradients" else curve_correlations
    with Bar.patient("group") as bar:
        found = find(recipe, opened.space, images, steps, seed, on_step=paced(bar, steps, "steps"))
    groups = balanced_groups(found, count)
    write_groups(groups, list(opened.space), output)
    if as_json:
        named: list[list[str]] = [[] for _ in range(count)]
        for child, number in zip(opened.space, groups, strict=True):
            named[number].append(child.name)
        print_json({"output": output, "groups": named})
        return
    click.echo(f"{count} groups of {len(groups) // count} children in {output}")
