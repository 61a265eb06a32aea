"""What a verb answers a person who has not asked for JSON: a function a verb, facts to lines."""

from typing import TYPE_CHECKING, Any

from firstlight.runs.run import Run

if TYPE_CHECKING:  # they import TensorFlow
    from firstlight.explanation.explain import Explanation
    from firstlight.graphs.draw import GraphPictures


def training(result: dict[str, Any]) -> list[str]:
    accuracy = result["test_accuracy"]
    return [
        f"{result['network']} on {result['data']}: {result['steps']:,} steps in "
        f"{result['seconds']:.1f} s, cost {result['first_cost']:.4f} → {result['final_cost']:.4f}",
        f"test accuracy {accuracy:.2%}"
        if accuracy is not None
        else f"test accuracy not measured: {result['data']} has no test split",
        *([f"run {result['run']}"] if result["run"] else ["a dry run: nothing was kept"]),
    ]


def prediction(predicted: Any, labels: Any) -> list[str]:
    pairs = list(zip(predicted[:20], labels[:20], strict=True))
    return [
        "predicted  " + " ".join(str(answer) for answer, _ in pairs),
        "labels     " + " ".join(str(label) for _, label in pairs),
        "wrong      " + " ".join(" " if answer == label else "^" for answer, label in pairs),
    ]


def evaluation(facts: dict[str, Any], opened: list[Run]) -> list[str]:
    low, high = facts["interval95"]
    lines = [
        f"{facts['network']} on {facts['data']} ({facts['split']}): {facts['accuracy']:.2%} right, "
        f"{facts['correct']:,} of {facts['examples']:,} (95 % interval {low:.2%} to {high:.2%})"
    ]
    if "top5" in facts:
        lines.append(f"the right class is among the five likeliest for {facts['top5']:.2%}")
    names = opened[0].trained()["classes"]
    lines += [
        f"  {m.get('file', 'image ' + str(m['index']))}: {names[m['label']]} taken for "
        f"{names[m['predicted']]}, {m['confidence']:.1%} sure"
        for m in facts["mistakes"][:5]
    ]
    return lines + ([f"pictures in {opened[0].figures}"] if len(opened) == 1 else [])


def export(facts: dict[str, Any]) -> list[str]:
    before, after = facts["calibration_error"]
    return [
        f"{facts['file']}: {facts['bytes']:,} bytes; on {facts['examples']} images its logits are "
        f"within {facts['largest_difference']:.2g} of the network's",
        f"calibrated: logits ÷ {facts['temperature']:.3g}, off by {before:.2%} before and "
        f"{after:.2%} after; at least {facts['threshold']:.0%} sure, {facts['told']:.1%} of the "
        f"answers are told, of them {facts['wrong']:.2%} wrong",
    ]


def reading(facts: list[dict[str, Any]], named: bool) -> list[str]:
    """The text of one picture; of several, each line has the picture's name before it."""
    told = [(f"{fact['file']}: " * named, fact["text"] or fact["note"]) for fact in facts]
    return [name + line for name, text in told for line in text.split("\n")]


def classes(facts: list[dict[str, Any]]) -> list[str]:
    """The labels of one picture, a line each; of several, a line each with its name before them."""
    if len(facts) == 1:
        return [f"{each['probability']:6.1%}  {each['label']}" for each in facts[0]["labels"]]
    lines = []
    for fact in (fact for fact in facts if fact["labels"]):
        told = ", ".join(f"{each['label']} {each['probability']:.1%}" for each in fact["labels"])
        lines.append(f"{fact['file']}: {told}")
    return lines


def explanation(explanation: "Explanation") -> list[str]:
    """The most probable labels, then the written files."""
    result = explanation.to_json()
    return [*classes([result]), *result["files"]]


def graph(pictures: "GraphPictures") -> list[str]:
    return [str(file) for file in pictures.files]


def serving(url: str) -> list[str]:
    return [f"open {url} in a browser; Ctrl-C stops the server"]


def comparison(facts: dict[str, Any]) -> list[str]:
    return [
        *(f"{run}: {acc:.2%}" for run, acc in zip(facts["runs"], facts["accuracy"], strict=True)),
        f"of {facts['examples']:,} images of {facts['data']} ({facts['split']}) both have "
        f"{facts['both_right']:,} right and {facts['both_wrong']:,} wrong",
        facts["verdict"],
    ]


def check(facts: dict[str, Any]) -> list[str]:
    width = 2 + max(map(len, facts["classes"]), default=0)
    return [
        *(f"{fault['file']}: {fault['problem']}" for fault in facts["faults"]),
        *(f"{name:<{width}}{count:>9,}" for name, count in facts["classes"].items()),
        f"{facts['data']}: {facts['examples']:,} examples in {len(facts['classes'])} classes, "
        f"{len(facts['faults'])} faults",
    ]


def catalog(facts: dict[str, Any]) -> list[str]:
    width = 2 + max(len(entry["name"]) for entry in facts["networks"])
    lines = [f"{'network':<{width}}{'input':<11}{'parameters':>11}  recipes"]
    for entry in facts["networks"]:
        size, recipes = "×".join(map(str, entry["input"])), ", ".join(entry["recipes"])
        lines.append(f"{entry['name']:<{width}}{size:<11}{entry['parameters']:>11,}  {recipes}")
    known = [f"{entry['name']:<{width}}{entry['classes']:>7}" for entry in facts["datasets"]]
    return [*lines, "", f"{'dataset':<{width}}classes", *known]
