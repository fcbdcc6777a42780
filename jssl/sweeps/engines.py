"""What executes the trials of a sweep beside local processes: each is a `map` of a function over trials, as that of `processes.workers`.

Both libraries pickle the function and the trial, which are a name and plain values, on their way to a worker. What comes back is read from the
JSON that a trial writes, and not from what they pickle.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jssl.errors import UsageError

ENGINES = ('local', 'slurm', 'ray')


def options_of(texts: Sequence[str]) -> dict[str, Any]:
  """'k=v' texts of --engine-option as a dict, with numbers as numbers.

  Raises:
    UsageError: for one without a value.
  """
  found = {}
  for text in texts:
    key, equals, value = text.partition('=')
    if not (key and equals and value):
      raise UsageError(f'--engine-option {text}: write --engine-option KEY=VALUE')
    with contextlib.suppress(ValueError):
      value = float(value) if '.' in value else int(value)
    found[key] = value
  return found


@contextlib.contextmanager
def slurm(folder: Path, jobs: int | None, options: Mapping[str, Any]) -> Iterator[Callable]:
  """A `map` that executes trials as a job array of SLURM, by submitit.

  Args:
    folder: on the file system that all machines share; logs of the jobs are written to it.
    jobs: most jobs at a time; None for as many as SLURM runs.
    options: parameters of submitit's AutoExecutor: timeout_min=60, gpus_per_node=1, slurm_partition='gpu'. cluster='local' runs them on this
      machine, without SLURM.

  Raises:
    UsageError: if submitit or SLURM is missing, or has no such parameter.
  """
  try:
    import submitit
  except ImportError as error:
    raise UsageError("--engine slurm needs submitit, which is not here: pip install 'jssl[slurm]'") from error
  parameters = dict(options)
  cluster = parameters.pop('cluster', 'slurm')
  try:
    executor = submitit.AutoExecutor(folder, cluster=cluster)
    if jobs is not None:
      parameters['slurm_array_parallelism'] = jobs
    executor.update_parameters(name='jssl', **parameters)
  except Exception as error:  # of any type, for a missing SLURM and for unknown parameters
    raise UsageError(f'--engine slurm: {" ".join(str(error).split())}') from error

  def spread(work: Callable, *arguments: Sequence[Any]) -> Iterator[None]:
    submitted = executor.map_array(work, *arguments)
    for job in submitted:
      job.wait()
      if job.state not in ('COMPLETED', 'FINISHED'):
        lines = (job.stderr() or '').strip().splitlines()
        raise UsageError(f'job {job.job_id} ended as {job.state}: {lines[-1] if lines else "without a message"}; its log is in {folder}')
      yield None

  yield spread


@contextlib.contextmanager
def ray(folder: Path, jobs: int | None, options: Mapping[str, Any]) -> Iterator[Callable]:
  """A `map` that executes trials by Ray Tune, on the cluster at RAY_ADDRESS, or on this machine.

  Args:
    folder: for what Ray Tune writes.
    jobs: most trials at a time; None for as many as resources allow.
    options: resources of a trial: cpu=2, gpu=1.

  Raises:
    UsageError: if Ray is missing, or a trial ended without an outcome.
  """
  try:
    import ray as cluster
    from ray import tune
  except ImportError as error:
    raise UsageError("--engine ray needs Ray Tune, which is not here: pip install 'jssl[ray]'") from error
  if unknown := [key for key in options if key not in ('cpu', 'gpu')]:
    raise UsageError(f'--engine-option {unknown[0]}: with --engine ray the resources of a trial are given, cpu=2 or gpu=1')
  begun = not cluster.is_initialized()
  if begun:
    cluster.init(include_dashboard=False, log_to_driver=False, logging_level='ERROR')

  def spread(work: Callable, trials: Sequence[Any]) -> Iterator[None]:
    def trial(given: Mapping[str, Any]) -> None:
      score = work(trials[given['trial']])['score']
      tune.report({'score': float('nan') if score is None else score})

    tuner = tune.Tuner(
      tune.with_resources(trial, {'cpu': 1, **options}),
      param_space=dict(trial=tune.grid_search(list(range(len(trials))))),
      tune_config=tune.TuneConfig(max_concurrent_trials=jobs),
      run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    )
    with contextlib.redirect_stdout(sys.stderr):  # where a table of Ray's would stand beside our output
      results = tuner.fit()
    if results.errors:
      raise UsageError(f'--engine ray: {" ".join(str(results.errors[0]).split())[-400:]}; its log is in {folder}')
    return iter([None] * len(trials))

  try:
    yield spread
  finally:
    if begun:
      cluster.shutdown()
