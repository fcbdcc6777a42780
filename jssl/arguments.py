"""The arguments of the command line."""

import argparse
import os
from pathlib import Path

from jssl import storage
from jssl.errors import ConfigError

SOURCES = (
  'folder:PATH, PATH.jsonl, .csv, .tsv, .parquet, .npy, .npz, .smi or .ts, tar:PATTERN, hf:NAME, tfds:NAME, packed:PATH, graph:PATH, '
  "triples:PATH, series:PATH, or a data set's name"
)
# Environment variables that the TPU compiler requires on a machine without a TPU.
TPU_COMPILER = dict(
  TPU_SKIP_MDS_QUERY='1', ALLOW_MULTIPLE_LIBTPU_LOAD='1', TPU_WORKER_HOSTNAMES='localhost', TPU_ACCELERATOR_TYPE='v5p-8',
)  # fmt: skip


def path(text: str) -> Path:
  """Parses a path, with `~` as the home directory, or an address in a bucket.

  An empty path, such as from an unset shell variable, is refused, since it would mean the current folder.
  """
  if not text:
    raise argparse.ArgumentTypeError('a path must not be empty')
  try:
    return storage.path(text) if ':/' in text else Path(os.path.expanduser(text))
  except ConfigError as error:
    raise argparse.ArgumentTypeError(str(error)) from error


def mesh(text: str) -> dict[str, int]:
  """The sizes of a mesh's axes, 'data=8,fsdp=8'."""
  parts = [part.partition('=') for part in text.split(',')]
  if not all(name.strip() and size.strip().isdigit() and int(size) for name, _, size in parts):
    raise argparse.ArgumentTypeError(f'{text!r} is no list of AXIS=SIZE; write it as data=8,fsdp=8')
  return {name.strip(): int(size) for name, _, size in parts}


def steps(text: str) -> tuple[int, int]:
  """Two step numbers, '10:20'."""
  first, _, last = text.partition(':')
  if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
    raise argparse.ArgumentTypeError(f'{text!r} is no range of steps; write it as 10:20')
  return int(first), int(last)


def names(text: str) -> tuple[str, ...]:
  """Names, 'cpu,cuda'."""
  return tuple(part.strip() for part in text.split(','))


def make_parser() -> argparse.ArgumentParser:
  parser = argparse.ArgumentParser('jssl', description='Representation learning and self-supervised learning in JAX.')
  commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')

  def command(name: str, help: str) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    made.add_argument('--json', action='store_true', help='print one JSON object and nothing else')
    return made

  listed = command('list', 'every system: paper, kind, config, scales, claim and its state')
  listed.add_argument('--family', help='only this shelf')
  train = command('train', 'train a system and compare it with its baselines; --config.x.y=v changes its config')
  train.add_argument('name', help='a name from `jssl list`, or a file with a get_config(); name:scale for a scale other than small')
  train.add_argument('--data', metavar='SOURCE', help=f"train on data of your own instead of the config's: {SOURCES}")
  train.add_argument(
    '--workdir', type=path, help='folder of the run, or an address gs:// or s3://, resumed if it holds one (default: a new one in runs/)'
  )
  train.add_argument('--protocol', help="evaluations at the end, or none (default: the system's own)")
  train.add_argument('--tensorboard', action='store_true', help='write TensorBoard files too (pip install jssl[tensorboard])')
  train.add_argument('--take-over', action='store_true', help='take the workdir from another run that has it, and is known to be dead')
  train.add_argument(
    '--resume-with', action='append', default=[], metavar='k=v', help='go on with the run in --workdir, with this setting changed: epochs=40'
  )
  train.add_argument('--profile', type=steps, metavar='A:B', help="trace the steps after A, up to B, by JAX's profiler into WORKDIR/profile")
  train.add_argument('--processes', metavar='N', help='processes of one run: their number, or auto on TPU pods and under SLURM')
  train.add_argument('--process', type=int, metavar='I', help='which of them this is, from 0')
  train.add_argument('--coordinator', metavar='HOST:PORT', help='a free port on the host of process 0')
  planned = command('plan', 'compile a step for the devices that it is meant for, and say what it takes: memory, operations, traffic, time')
  planned.add_argument('name', help='a system or a file, as in `jssl train`; --config.x.y=v changes its config')
  planned.add_argument('--data', metavar='SOURCE', help='plan on data of your own')
  planned.add_argument('--mesh', type=mesh, metavar='A=N,...', help='the mesh; without --topology its devices are simulated: data=8,fsdp=8')
  planned.add_argument('--topology', metavar='NAME', help="a TPU that need not be here, such as v5p:2x2x4; needs pip install 'jax[tpu]'")
  planned.add_argument('--mfu', type=float, default=0.4, metavar='U', help='the assumed share of the peak, for the hours (default: 0.4)')
  planned.add_argument('--price', type=float, metavar='P', help='of an hour of one device')
  evaluate = command('evaluate', 'evaluate a trained run by named protocols')
  evaluate.add_argument('workdir', type=path)
  evaluate.add_argument('--protocol', help="comma-separated names (default: the system's own)")
  evaluate.add_argument('--best', action='store_true', help='the checkpoint that curves.best has kept, instead of the newest')
  embed = command('embed', 'representations of new data')
  of = 'the workdir of a run, or the folder of a saved model'
  source = f'a folder of pictures, read as in training, a .txt of texts, one a line, or {SOURCES}, of which NAME/SPLIT is one split'
  embed.add_argument('workdir', type=path, metavar='D', help=of)
  embed.add_argument('input', metavar='INPUT', help=source)
  embed.add_argument(
    'output', type=path, metavar='OUT', help='.npy, or .parquet with a column embedding; names of rows: in STEM.names.json, or a column name'
  )
  embed.add_argument('--batch_size', type=int, default=256, metavar='N', help='inputs a call')
  data = command('data', 'pack a data set into shards for random access, to be read as packed:OUT')
  data.add_argument('action', choices=['pack'])
  data.add_argument('source', metavar='SOURCE', help=SOURCES)
  data.add_argument('output', type=path, metavar='OUT', help='a folder that is not there yet')
  data.add_argument('options', nargs='*', metavar='KEY=VALUE', help='options of the data, such as resize=64')
  neighbours = command('neighbours', 'the most similar of some inputs, by their representations')
  neighbours.add_argument('workdir', type=path, metavar='D', help=of)
  neighbours.add_argument('input', metavar='INPUT', help=source)
  neighbours.add_argument(
    '--query', nargs='+', metavar='ITEM', help='row numbers or names of files of INPUT, or another text or path (default: every row)'
  )
  neighbours.add_argument('--k', type=int, default=5, metavar='N', help='neighbours a query (default: 5)')
  neighbours.add_argument('--batch_size', type=int, default=256, metavar='N', help='inputs a call')
  export = command('export', 'an encoder as a folder that another library opens')
  export.add_argument('workdir', type=path, metavar='D', help=of)
  export.add_argument('output', type=path, metavar='OUT', help='a folder that is not there yet')
  opens = 'for SentenceTransformer(OUT), for AutoModel.from_pretrained(OUT) or timm, or a program for any JAX or any ONNX runtime'
  export.add_argument('--format', required=True, choices=['sentence-transformers', 'hf', 'stablehlo', 'onnx'], help=opens)
  export.add_argument('--network', metavar='NAME', help='which of the networks, such as the tower of a caption (default: the encoder)')
  export.add_argument('--family', metavar='NAME', help='with hf: in whose form weights are written, such as bert (default: the one that fits)')
  export.add_argument('--outputs', type=names, metavar='A,B', help='of a program: pooled, tokens or both (default: pooled)')
  export.add_argument('--platforms', type=names, metavar='A,B', help='of stablehlo: some of cpu, cuda and tpu (default: all)')
  export.add_argument('--normalize', action='store_true', help='scale embeddings to unit length; with sentence-transformers')
  reproduce = command('reproduce', "run systems' claims, each against its baselines and over its seeds, into the ledger")
  reproduce.add_argument('names', nargs='*', metavar='NAME')
  reproduce.add_argument('--all', action='store_true', help='every system that has a claim')
  reproduce.add_argument('--stale', action='store_true', help='only those whose code has changed since, or that were never tried')
  default = 'one a core, as far as memory goes, or one where there is an accelerator'
  reproduce.add_argument('--jobs', type=int, metavar='N', help=f'runs at a time (default: {default})')
  sweep = command(
    'sweep', 'score settings of a system on development seeds and validation data, at most 8 of a row; tries are counted in the ledger'
  )
  sweep.add_argument('name', metavar='NAME')
  sweep.add_argument(
    '--over', action='append', default=[], metavar='x.y=a,b,c', help='values of an option; again for another, and all combinations'
  )
  sweep.add_argument('--tune', action='store_true', help='count them as tries')
  sweep.add_argument('--row', metavar='VARIANT', help='tune a rival, one of the variants of the claim')
  sweep.add_argument('--seeds', type=int, default=3, metavar='N', help='development seeds a try (default: 3)')
  sweep.add_argument('--jobs', type=int, metavar='N', help=f'runs at a time (default: {default})')
  replay = command('replay', 'run a step that went wrong again, operation by operation, and name the first array that is not finite')
  replay.add_argument('folder', type=path, metavar='DIR', help='a captured step, WORKDIR/captures/STEP, or a workdir for its last one')
  return parser
