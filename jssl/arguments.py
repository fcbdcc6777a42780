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
    raise argparse.ArgumentTypeError(f'{text!r} is not a list of AXIS=SIZE; write it as data=8,fsdp=8')
  return {name.strip(): int(size) for name, _, size in parts}


def steps(text: str) -> tuple[int, int]:
  """Two step numbers, '10:20'."""
  first, _, last = text.partition(':')
  if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
    raise argparse.ArgumentTypeError(f'{text!r} is not a range of steps; write it as 10:20')
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

  listed = command('list', 'list all systems: paper, kind, config, scales, claim and its state')
  listed.add_argument('--family', help='only systems of this family')
  shown = command('show', 'show every option of a system with its value, its default and its meaning; --config.x.y=v changes its config')
  shown.add_argument('name', help='a system or a file, as in `jssl train`')
  train = command('train', 'train a system and compare it with its baselines; --config.x.y=v changes its config')
  train.add_argument('name', help='a name from `jssl list`, or a file with a get_config(); name:scale for a scale other than small')
  train.add_argument('--data', metavar='SOURCE', help=f'train on your own data instead of that of the config: {SOURCES}')
  train.add_argument(
    '--workdir', type=path, help='folder of the run, or a gs:// or s3:// address; a run in it is resumed (default: a new folder in runs/)'
  )
  train.add_argument('--protocol', help="evaluations at the end, or none (default: the system's own)")
  train.add_argument(
    '--track', type=names, action='extend', default=[], metavar='A,B', help='where to track the run: tensorboard, wandb, mlflow, aim'
  )
  train.add_argument('--tensorboard', action='append_const', dest='track', const='tensorboard', help='the same as --track tensorboard')
  train.add_argument('--take-over', action='store_true', help='take over the workdir from another run that is known to be dead')
  train.add_argument(
    '--resume-with', action='append', default=[], metavar='k=v', help='continue the run in --workdir with a changed setting: epochs=40'
  )
  train.add_argument('--profile', type=steps, metavar='A:B', help="trace the steps after A, up to B, with JAX's profiler in WORKDIR/profile")
  train.add_argument('--processes', metavar='N', help='number of processes of the run, or auto on TPU pods and under SLURM')
  train.add_argument('--process', type=int, metavar='I', help='index of this process, from 0')
  train.add_argument('--coordinator', metavar='HOST:PORT', help='a free port on the host of process 0')
  planned = command('plan', 'compile a training step for given devices and report its memory, operations, traffic and time')
  planned.add_argument('name', help='a system or a file, as in `jssl train`; --config.x.y=v changes its config')
  planned.add_argument('--data', metavar='SOURCE', help='plan with your own data')
  planned.add_argument('--mesh', type=mesh, metavar='A=N,...', help='the mesh; without --topology its devices are simulated: data=8,fsdp=8')
  planned.add_argument('--topology', metavar='NAME', help="a TPU topology, such as v5p:2x2x4; needs pip install 'jax[tpu]', but no TPU")
  planned.add_argument('--mfu', type=float, default=0.4, metavar='U', help='assumed utilization (MFU), to estimate the hours (default: 0.4)')
  planned.add_argument('--price', type=float, metavar='P', help='price of one device for an hour')
  evaluate = command('evaluate', 'evaluate a trained run with named protocols')
  evaluate.add_argument('workdir', type=path)
  evaluate.add_argument('--protocol', help="comma-separated names (default: the system's own)")
  evaluate.add_argument('--best', action='store_true', help='evaluate the checkpoint that curves.best has kept, instead of the newest')
  embed = command('embed', 'compute representations of new data')
  of = 'the workdir of a run, or the folder of a saved model'
  source = f'a folder of pictures, read as in training, a .txt file with one text per line, or {SOURCES}; NAME/SPLIT for one split'
  embed.add_argument('workdir', type=path, metavar='D', help=of)
  embed.add_argument('input', metavar='INPUT', help=source)
  embed.add_argument(
    'output', type=path, metavar='OUT', help='.npy, with names of rows in STEM.names.json, or .parquet, with columns name and embedding'
  )
  embed.add_argument('--batch_size', type=int, default=256, metavar='N', help='inputs per call')
  data = command('data', 'pack a data set into shards for random access, to be read as packed:OUT')
  data.add_argument('action', choices=['pack'])
  data.add_argument('source', metavar='SOURCE', help=SOURCES)
  data.add_argument('output', type=path, metavar='OUT', help='a new folder')
  data.add_argument('options', nargs='*', metavar='KEY=VALUE', help='options of the data, such as resize=64')
  neighbours = command('neighbours', 'find the most similar inputs by their representations')
  neighbours.add_argument('workdir', type=path, metavar='D', help=of)
  neighbours.add_argument('input', metavar='INPUT', help=source)
  neighbours.add_argument(
    '--query', nargs='+', metavar='ITEM', help='row numbers or file names of INPUT, or another text or path (default: every row)'
  )
  neighbours.add_argument('--k', type=int, default=5, metavar='N', help='neighbours per query (default: 5)')
  neighbours.add_argument('--batch_size', type=int, default=256, metavar='N', help='inputs per call')
  export = command('export', 'export an encoder to a folder that another library can open')
  export.add_argument('workdir', type=path, metavar='D', help=of)
  export.add_argument('output', type=path, metavar='OUT', help='a new folder')
  opens = 'for SentenceTransformer(OUT), for AutoModel.from_pretrained(OUT) or timm, or a program for any JAX or any ONNX runtime'
  export.add_argument('--format', required=True, choices=['sentence-transformers', 'hf', 'stablehlo', 'onnx'], help=opens)
  export.add_argument('--network', metavar='NAME', help='the network to export, such as the tower of a caption (default: the encoder)')
  export.add_argument('--family', metavar='NAME', help='with hf: the model family to write, such as bert (default: the one that fits)')
  export.add_argument('--outputs', type=names, metavar='A,B', help='with stablehlo or onnx: pooled, tokens or both (default: pooled)')
  export.add_argument('--platforms', type=names, metavar='A,B', help='with stablehlo: one or more of cpu, cuda and tpu (default: all)')
  export.add_argument('--normalize', action='store_true', help='with sentence-transformers: scale embeddings to unit length')
  reported = command('report', 'write a report of a run, of several runs side by side, or of the ledger, as one HTML file')
  reported.add_argument('workdirs', type=path, nargs='*', metavar='D', help='workdirs of runs; several are compared')
  reported.add_argument(
    '--output', type=path, metavar='FILE', help='the file (default: report.html in the workdir, or in the current folder for several runs)'
  )
  reported.add_argument('--ledger', action='store_true', help='report the claims of all systems')
  reproduce = command('reproduce', 'run claims of systems against their baselines over all seeds and record them in the ledger')
  reproduce.add_argument('names', nargs='*', metavar='NAME')
  reproduce.add_argument('--all', action='store_true', help='every system that has a claim')
  reproduce.add_argument('--stale', action='store_true', help='only claims whose code has changed since, or that were never tried')
  default = 'one per core if memory allows, or one with an accelerator'
  reproduce.add_argument('--jobs', type=int, metavar='N', help=f'runs at a time (default: {default})')
  compared = command('compare', 'train systems under equal budget and compare them by paired differences; --config.x.y=v applies to all')
  compared.add_argument('names', nargs='+', metavar='NAME', help='systems or files, as in `jssl train`; differences are to the first')
  compared.add_argument('--data', metavar='SOURCE', help=f'train on your own data: {SOURCES}')
  compared.add_argument('--workdir', type=path, metavar='D', help='folder of the comparison; one in it goes on (default: a new one in runs/)')
  compared.add_argument('--seeds', type=int, default=3, metavar='N', help='runs per system; with 1, test items are resampled (default: 3)')
  compared.add_argument(
    '--split', choices=['validation', 'test'], default='validation', help='the data of the figures: validation to choose, test to report'
  )
  compared.add_argument('--protocol', help='comma-separated evaluations (default: those of the first system)')
  compared.add_argument('--jobs', type=int, metavar='N', help=f'runs at a time (default: {default})')
  sweep = command(
    'sweep',
    'score settings of a system on validation data, or with --tune for its claim, counted in the ledger; --config.x.y=v sets the others',
  )
  sweep.add_argument('name', metavar='NAME', help='a system or a file, as in `jssl train`')
  sweep.add_argument(
    '--over', action='append', default=[], metavar='x.y=a,b,c',
    help='values of an option, or a range LOW:HIGH[:log]; repeat for more options, to try all combinations',
  )  # fmt: skip
  sweep.add_argument('--seeds', type=int, metavar='N', help='runs per trial (default: 1, and 3 with --tune)')
  sweep.add_argument('--jobs', type=int, metavar='N', help=f'trials at a time (default: {default}; with another engine, as many as it runs)')
  alone = sweep.add_argument_group('without --tune')
  alone.add_argument('--data', metavar='SOURCE', help=f'train on your own data: {SOURCES}')
  alone.add_argument('--workdir', type=path, metavar='D', help='folder of the sweep; one in it goes on (default: a new one in runs/)')
  alone.add_argument('--metric', metavar='NAME', help="the score, such as knn_top1 (default: the metric of the system's claim)")
  alone.add_argument('--lower', action='store_true', default=None, help='a lower score is better')
  alone.add_argument(
    '--sampler', choices=['grid', 'tpe', 'random'], help="grid, or of Optuna (pip install 'jssl[sweep]') tpe or random (default: grid)"
  )
  alone.add_argument('--trials', type=int, metavar='N', help='number of trials of tpe or random')
  alone.add_argument(
    '--engine', choices=['local', 'slurm', 'ray'], help="what runs the trials; pip install 'jssl[slurm]' or 'jssl[ray]' (default: local)"
  )
  alone.add_argument(
    '--engine-option', action='append', default=[], metavar='k=v', help='slurm: a parameter of submitit, timeout_min=60; ray: cpu=2 or gpu=1'
  )
  tune = sweep.add_argument_group('with --tune: trials for the claim of a system, at most 8 per row')
  tune.add_argument('--tune', action='store_true', help='score development seeds, and count the trials in the ledger')
  tune.add_argument('--row', metavar='VARIANT', help='tune a baseline: one of the variants of the claim')
  benched = command('bench', 'time training iterations of a system, alone or in turns with other libraries; --config.x.y=v applies to all')
  benched.add_argument('name', metavar='NAME', help='a system or a file, as in `jssl train`')
  benched.add_argument(
    '--against', type=names, action='extend', default=[], metavar='A,B',
    help="lightly, torch (on views that are ready), sentence-transformers, pykeen or gensim: pip install 'jssl[peers]'",
  )  # fmt: skip
  benched.add_argument('--rounds', type=int, default=5, metavar='N', help='turns of each, of at least 2 s (default: 5)')
  replay = command('replay', 'rerun a failed step one operation at a time and name the first array that is not finite')
  replay.add_argument('folder', type=path, metavar='DIR', help='a captured step, WORKDIR/captures/STEP, or a workdir for its last one')
  return parser
