"""The code of README and of the documentation runs: page by page, from top to bottom, in a folder of the page's own.

- Python blocks share one namespace. A block that begins with the name of a file of this repository is an excerpt of it; one that begins
  with another file name is written there, too. A config `c`, or one that `get_config` gives, is built,
  for batches of 16 examples.
- In shell blocks each `jssl` command runs in this process. `short` makes training short, and nothing else is changed.
- What cannot run here is listed in NOT_RUN with the reason; the arguments of a `jssl` command are parsed all the same.
- Blocks of output are marked as `text`.
- Blocks of another library, which begin with the comment in PEERS, are run by tests/test_peers.py.

The folder has what the page supposes its reader to have: `given`.
"""

import inspect
import re
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from flax import nnx

import jssl
from jssl import cli
from jssl.api import train
from jssl.arguments import make_parser
from jssl.configs import split
from jssl.core.build import plan
from jssl.models.pretrained import bert
from jssl.models.text import bert as text
from tests.photos import digits

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path.stem: path for path in (ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))) if path.stem != 'index'}  # of the site
FENCE = re.compile(r'^```(\w*)\n(.*?)^```', re.S | re.M)

# Part of a command, or of a Python block -> why it does not run here. Lines of a script that only stand beside such commands are in it too.
NOT_RUN = {
  'python3 -m venv': 'installs from a package index',
  'pip install': 'installs from a package index',
  "'stablehlo')": 'needs flatbuffers; tests/test_programs.py runs it',
  '--track': 'needs the package of a tracker; tests/test_tracking.py runs them',
  "track=('wandb'": 'needs the packages of trackers',
  '--format onnx': 'needs jax2onnx; tests/test_programs.py runs it',
  'gcloud ': 'asks for TPU machines',
  '--topology': "needs the TPU's compiler; experiments/pod.py runs it",
  '#SBATCH': 'is read by SLURM',
  'srun ': 'is a command of SLURM',
  'host0$': 'needs two hosts; tests/test_processes.py runs two processes',
  'host1$': 'needs two hosts',
  'gs://my-bucket': 'needs a bucket; tests/test_storage.py has a store in memory',
  'drive.mount': 'is a cell of Colab',
  '!jssl': 'is a cell of Colab',
  '!cp -r': 'is a cell of Colab',
  'torchvision.models': 'downloads weights; tests/pretrained/convolutional_cases.py stores random ones',
  "processes.joined('auto')": 'needs a pod or a cluster; tests/test_processes.py runs it with a number',
  'apt install': 'installs a package of Debian',
  'train clip:wit': 'needs a million pairs',
  'train simclr:fashion_mnist': 'needs the package dataset-fashion-mnist; tests/data/test_fashion.py reads files of its form',
  'jssl bench': 'trains in turns with libraries that are not installed; tests/test_bench.py runs it',
  'jssl reproduce': 'takes minutes and writes into the ledger; tests/test_ledger.py runs it',
  'jssl sweep': 'takes minutes; tests/test_sweep.py and tests/test_ledger.py run it',
  'jssl compare': 'takes minutes; tests/test_compare.py runs it',
  'jssl.compare(': 'takes minutes; tests/test_compare.py runs it',
  'jssl.sweep(': 'takes minutes; tests/test_sweep.py runs it',
  'train runs/sweep/simclr_best.py': 'needs that sweep; tests/test_sweep.py reads such a file',
}
# Page for users of another library -> the comment that its blocks begin with, and the module that they need.
PEERS = {
  'from_lightly': ('# lightly\n', 'lightly'),
  'from_big_vision': ('# big_vision\n', 'big_vision'),
  'from_open_clip': ('# open_clip\n', 'open_clip'),
  'from_sentence_transformers': ('# Sentence Transformers\n', 'sentence_transformers'),
  'from_solo_learn': ('# solo-learn\n', 'solo'),
}
# What ends with another status than 0, as the page says.
STATUS = {'temperature=1e-40': 2, 'replay runs/moco': 2}  # a step that fails; a run that has none
# What takes more than a few seconds, most of it to compile, and runs with the long tests.
LONG = (
  'check_method(', 'whitening_bert', 'jssl evaluate runs/hinge', 'evaluate_every=10%', 'jssl evaluate runs/curves',
  'backbone.name=vit_micro', 'backbone.folder=FOLDER', 'linear,finetune', '--workdir t', 'jssl neighbours t ', 'jssl embed t ',
  'jssl export t ', 'evaluate w --protocol ', 'evaluate runs/squares', 'evaluate runs/simclr', '--config.micro_batches=8',
  'train my_siglip.py', 'train my_simclr.py',
  'jssl report', '--workdir runs/cold', '--workdir runs/warm', 'run.report(',
  'train tst --data', 'train selformer --data', 'train grace --data', 'train distmult --data',
)  # fmt: skip
# Pages whose code takes half a minute and more. tests/pretrained has the weights.
LONG_PAGES = ('from_big_vision', 'from_open_clip', 'from_sentence_transformers', 'weights')


def tiny(method):
  """The scale `tiny` of a system or config file that has it, unless a scale is named."""
  if not isinstance(method, str) or split(method)[0] != method:
    return method
  return f'{method}:tiny' if not method.endswith('.py') or 'def get_config(scale' in Path(method).read_text() else method


def short(argv: list[str]) -> list[str]:
  """The same command at the scale `tiny`, unless it names one, for two steps of 16 examples where it trains.

  It is evaluated where it names protocols; tests/test_newcomer.py has the evaluation of a run on pictures.
  """
  if argv[0] != 'train':
    return argv
  name = tiny(argv[1])
  if not jssl.load_config(name).losses:
    return ['train', name, *argv[2:]]
  going_on = {'epochs': 'steps=3', 'steps': 'steps=4'}
  argv = [going_on.get(x.partition('=')[0], x) if before == '--resume-with' else x for before, x in zip(['', *argv], argv, strict=False)]
  quick = [] if any(x.startswith('--protocol') for x in argv) else ['--protocol=none']
  return ['train', name, *argv[2:], *quick, '--config.steps=2', '--config.batch_size=16']


def short_train(method, data=None, **options):
  """`jssl.train`, as `short` shortens the command."""
  if options.get('backbone') == 'resnet18':  # the network of the scale
    del options['backbone']
  return train(tiny(method), data, **{'protocols': (), 'quiet': True, **options, 'epochs': None, 'steps': 2, 'batch_size': 16})


@pytest.fixture(scope='module')
def given(tmp_path_factory):
  """What a reader of the pages has: pictures, a trained run of them `w`, texts, a BERT in the folder FOLDER."""
  folder = tmp_path_factory.mktemp('given')
  digits(folder / 'photos', 120)
  digits(folder / 'more', 24, first=700, broken=False)
  shutil.copy(next((folder / 'more').rglob('*.png')), folder / 'a.png')
  shutil.copy(next((folder / 'more').rglob('*.jpg')), folder / 'b.jpg')
  (folder / 'texts.txt').write_text('an apple\na basket of apples\n')
  (folder / 'pairs.jsonl').write_text(''.join(f'{{"text": "{i} apples", "positive": "a basket of {i} apples"}}\n' for i in range(40)))
  tokenizer = bert.minilm_folder() / 'tokenizer.json'
  bert.write(folder / 'FOLDER', text.Bert((32,), vocabulary=30522, width=16, depth=1, heads=2, rngs=nnx.Rngs(0)), tokenizer=tokenizer)
  return folder


def commands(block: str) -> list[str]:
  """The commands of a shell block, those that go over several lines as one, without comments."""
  lines = re.sub(r'\\\n\s*', '', block).splitlines()
  return [line for line in (re.sub(r'(^|\s+)#(?!SBATCH|!).*', '', line).strip() for line in lines) if line and not line.startswith('#!')]


def reason(text: str) -> str | None:
  return next((why for part, why in NOT_RUN.items() if part in text), None)


def parse(text: str) -> None:
  """Sees that the parser takes the `jssl` command in a line, whatever stands before it."""
  names = 'train|bench|plan|evaluate|embed|neighbours|export|report|data|reproduce|compare|sweep|replay|list'
  if found := re.search(rf"(?:^|[\s!/'])jssl ((?:{names}) [^']*)", text):
    local = found[1].replace('gs://', '/')  # what reads buckets may not be installed
    known, rest = make_parser().parse_known_args(shlex.split(local))
    assert all(x.startswith('--config.') for x in rest), f'{text}: {rest}'


def run_command(text: str, page: str) -> None:
  parse(text)
  if reason(text):
    return
  name, *argv = shlex.split(text)
  assert name == 'jssl', f'{page}: {text!r} is no command of jssl; name it in NOT_RUN, or mark the block as text'
  status = next((status for part, status in STATUS.items() if part in text), 0)
  assert cli.main(short(argv)) == status, f'{page}: {text}'


def run_python(block: str, page: str, names: dict) -> None:
  code = compile(block, page, 'exec')
  if reason(block):
    return
  named = re.match(r'# ([\w/]+\.py)', block)
  if named and (ROOT / named[1]).exists():
    source = (ROOT / named[1]).read_text()
    lost = [line for line in block.splitlines()[1:] if line.strip() not in source]
    assert not lost, f'{page}: {named[1]} has no such line: {lost}'
    return
  if named:
    Path(named[1]).parent.mkdir(exist_ok=True)
    Path(named[1]).write_text(block)
  packages = [package for package in re.findall(r'^(?:import|from) (\w+)', block, re.M) if find_spec(package) is None and package != 'mine']
  if packages:
    assert packages == ['equinox'], f'{page}: {packages} cannot be imported'
    return
  exec(code, names)
  if 'def get_config' in block:
    make = names['get_config']
    plan(make('tiny') if inspect.signature(make).parameters else make())
  elif re.search(r'^c\b', block, re.M):
    plan({**names['c'].to_dict(), 'batch_size': 16})


def run_page(page: str, given: Path, folder: Path, monkeypatch, long: bool) -> None:
  # What other tests of this process left: a file mine.py anywhere would stand before the folder mine/ of a page.
  monkeypatch.setattr(sys, 'path', [place for place in sys.path if not (Path(place) / 'mine.py').exists()])
  for name in [name for name in sys.modules if name.partition('.')[0] in ('mine', 'my_method')]:
    monkeypatch.delitem(sys.modules, name)
  shutil.copytree(given, folder, dirs_exist_ok=True)
  monkeypatch.chdir(folder)
  monkeypatch.syspath_prepend(folder)
  monkeypatch.setattr(jssl, 'train', short_train)
  names = dict(__name__=page)
  for language, block in FENCE.findall(PAGES[page].read_text()):
    assert language in ('', 'bash', 'python', 'text'), f'{page}: blocks are python, bash or text, not {language!r}'
    if language == 'python' and page in PEERS and block.startswith(PEERS[page][0]):
      compile(block, page, 'exec')
    elif language == 'python':
      if long or not any(part in block for part in LONG):
        run_python(block, page, names)
    elif language != 'text':
      for command in commands(block):
        parse(command) if any(part in command for part in LONG) and not long else run_command(command, page)


def has(page: str, *parts: str) -> bool:
  return any(part in block for _, block in FENCE.findall(PAGES[page].read_text()) for part in parts)


@pytest.mark.parametrize(
  'page',
  [
    pytest.param(page, marks=() if page == 'README' else pytest.mark.long if page in LONG_PAGES else pytest.mark.rotating)
    for page in PAGES
    if has(page, '')
  ],
)
def test_code_of_a_page_runs(page, given, tmp_path, monkeypatch):
  run_page(page, given, tmp_path, monkeypatch, long=False)


@pytest.mark.long
@pytest.mark.parametrize('page', [page for page in PAGES if has(page, *LONG)])
def test_all_code_of_a_page_runs(page, given, tmp_path, monkeypatch):
  run_page(page, given, tmp_path, monkeypatch, long=True)


def test_code_is_in_fences():
  """An indented block would not be found."""
  for page, path in PAGES.items():
    outside = FENCE.sub('', path.read_text())
    assert not re.search(r'\n\n {4}\S', outside), f'{page}: put indented code into a fence'
    assert '```' not in outside, f'{page}: a fence is not closed'


def test_what_does_not_run_is_there():
  text = '\n'.join(path.read_text() for path in PAGES.values())
  assert not [part for part in (*NOT_RUN, *STATUS, *LONG) if part not in text]
