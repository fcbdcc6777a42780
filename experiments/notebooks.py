"""Executes the notebooks of `notebooks/` and writes their outputs, and what their code was, into `notebooks/executed.json`.

python experiments/notebooks.py                  those whose code has changed since they were executed
python experiments/notebooks.py tour graphs      these
python experiments/notebooks.py --all            all
python experiments/notebooks.py --list           executes nothing: lists those that have changed, and exits with 1 where there are any

Execution needs `pip install nbclient ipykernel`.
"""

import argparse
import ast
import base64
import io
import json
import os
import re
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from jssl import configs  # noqa: E402 - of this checkout
from jssl.ledger import reach  # noqa: E402

FOLDER = Path(__file__).resolve().parents[1] / 'notebooks'
RECORD = FOLDER / 'executed.json'  # notebook -> hash of its code, CPU seconds
COLOURS = 128  # of a picture in an output
COLAB = '/content'  # shown in outputs in the place of the folder of execution
SHELL = re.compile(r'^!jssl (\w+)')
WRITTEN = re.compile(r'^%%writefile (\S+)\n')


def names() -> list[str]:
  return sorted(path.stem for path in FOLDER.glob('*.ipynb'))


def cells(name: str) -> list[str]:
  """The code cells of a notebook."""
  notebook = json.loads((FOLDER / f'{name}.ipynb').read_text())
  return [''.join(cell['source']) for cell in notebook['cells'] if cell['cell_type'] == 'code']


def hashed(name: str, code: reach.Code) -> str:
  """A hash of the code of a notebook and of the definitions of jssl that it reaches, through references, systems and names of parts."""
  own, roots, words = [], set(), set()
  for cell in cells(name):
    if found := SHELL.match(cell):
      roots.add(f'jssl.commands.{found[1]}.run')
      words |= {*cell.split()}
    else:
      own.append(WRITTEN.sub('', cell))
  tree = ast.parse(text := '\n'.join(own))
  words |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
  roots |= {ref for of in reach.analyse(name, text.encode()).definitions.values() for ref in of.refs if ref.startswith('jssl')}
  known = configs.names()
  systems = [configs.load_config(word).to_dict() for word in sorted(words) if configs.split(word)[0] in known]
  systems = [{**c, 'claim': None, 'parts': ()} for c in systems]
  return code.hash(dict(cells=cells(name), words=sorted(words), systems=systems), sorted(roots))


def read() -> dict[str, tuple[str, float]]:
  return {name: tuple(kept) for name, kept in json.loads(RECORD.read_text()).items()} if RECORD.exists() else {}


def changed() -> list[str]:
  """The notebooks whose code, or the code that they reach, is not what was executed."""
  code, held = reach.Code(left_out=()), read()
  return [name for name in names() if held.get(name, ('',))[0] != hashed(name, code)]


def execute(name: str) -> float:
  """Executes a notebook in an empty folder and writes its outputs into it. Returns its CPU seconds."""
  import nbclient
  import nbformat

  path = FOLDER / f'{name}.ipynb'
  notebook = nbformat.read(path, as_version=4)
  os.environ['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'  # where !jssl is found
  with tempfile.TemporaryDirectory() as folder:
    began = cpu_seconds()
    client = nbclient.NotebookClient(notebook, timeout=900, resources={'metadata': {'path': folder}}, record_timing=False)
    client.execute()
    seconds = cpu_seconds() - began
    for cell in notebook.cells:
      if cell.cell_type == 'code':
        cell.metadata, cell.outputs = {}, [tidy(output, folder) for output in joined(cell.outputs)]
  language = dict(name='python', version='3')
  notebook.metadata = dict(kernelspec=dict(display_name='Python 3', language='python', name='python3'), language_info=language)
  for number, cell in enumerate(notebook.cells):
    cell['id'] = f'cell-{number}'
  nbformat.write(notebook, path)
  return seconds


def cpu_seconds() -> float:
  """Of child processes that have ended."""
  used = resource.getrusage(resource.RUSAGE_CHILDREN)
  return used.ru_utime + used.ru_stime


def joined(outputs: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
  """Outputs with consecutive texts of a stream as one."""
  last: dict[str, Any] = {}
  for output in map(dict, outputs):
    if output['output_type'] == last.get('output_type') == 'stream' and output['name'] == last['name']:
      last['text'] += output['text']
      continue
    if last:
      yield last
    last = output
  if last:
    yield last


def tidy(output: dict[str, Any], folder: str) -> Any:
  """An output without the places of this machine, and with pictures of few colours."""
  import nbformat

  clean = lambda text: re.sub(r'/\S*/site-packages', 'site-packages', text.replace(folder, COLAB))
  if 'text' in output:
    output['text'] = clean(output['text'])
  output.pop('metadata', None) if output['output_type'] == 'stream' else output.update(metadata={})
  for kind, value in output.get('data', {}).items():
    output['data'][kind] = smaller(value) if kind == 'image/png' else clean(value) if isinstance(value, str) else value
  return nbformat.from_dict(output)


def smaller(picture: str) -> str:
  from PIL import Image

  with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
    file = io.BytesIO()
    image.convert('RGB').quantize(COLOURS).save(file, 'png', optimize=True)
  return base64.b64encode(file.getvalue()).decode()


def main() -> int:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('names', nargs='*', choices=[*names(), []], metavar='NAME')
  parser.add_argument('--all', action='store_true')
  parser.add_argument('--list', action='store_true')
  arguments = parser.parse_args()
  chosen = arguments.names or (names() if arguments.all else changed())
  if arguments.list:
    print('\n'.join(chosen))
    return int(bool(chosen))
  for name in chosen:
    seconds = execute(name)
    print(f'{name}: {seconds:.0f} s of CPU, {(FOLDER / f"{name}.ipynb").stat().st_size / 1000:.0f} kB', flush=True)
    held = {**read(), name: (hashed(name, reach.Code(left_out=())), round(seconds, 1))}
    lines = [f'  {json.dumps(name)}: {json.dumps(held[name])}' for name in sorted(held) if name in names()]
    RECORD.write_text('{\n' + ',\n'.join(lines) + '\n}\n')
  return 0


if __name__ == '__main__':
  sys.exit(main())
