"""jssl neighbours: the most similar inputs by their representations."""

import json
from pathlib import Path

from jssl.commands.encoding import encoded
from jssl.errors import UsageError


def run(arguments, overrides) -> None:
  if arguments.k < 1:
    raise UsageError(f'--k={arguments.k}: at least one neighbour is needed')
  model, inputs, names, z = encoded(arguments)
  names = names or (inputs if isinstance(inputs, list) and isinstance(inputs[0], str) else None)
  rows = {name: i for i, name in reversed(list(enumerate(names or [])))} | {str(i): i for i in range(len(z))}
  asked = arguments.query or [str(i) for i in range(len(z))]
  others = [item for item in asked if item not in rows]
  if others and not model.reads_texts() and (wrong := [item for item in others if not Path(item).is_file()]):
    raise UsageError(f'--query {wrong[0]}: expected a row from 0 to {len(z) - 1}, the name of a file of INPUT or the path of a picture')
  more = dict(zip(others, model.encode(others, batch_size=arguments.batch_size), strict=True)) if others else {}
  index, scores = model.neighbours([more[item] if item in more else z[rows[item]] for item in asked], z, min(arguments.k + 1, len(z)))
  label = lambda i: names[i] if names else int(i)
  found = []
  for item, near, of in zip(asked, index, scores, strict=True):
    kept = [(int(i), float(x)) for i, x in zip(near, of, strict=True) if i != rows.get(item)][: arguments.k]
    query = label(rows[item]) if item in rows else item
    found.append(dict(query=query, neighbours=[dict(row=i, **({'name': names[i]} if names else {}), score=x) for i, x in kept]))
  if arguments.json:
    print(json.dumps({'found': found}))
    return
  for each in found:
    print(each['query'])
    for near in each['neighbours']:
      print(f'  {near["score"]:.4f}  {near.get("name", near["row"])}')
