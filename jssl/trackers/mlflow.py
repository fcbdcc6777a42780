"""MLflow."""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.trackers.tracking import Row, Tracked, figures_of, final, flat

BATCH = 1000  # metrics in one request, at most


class MLflow:
  """Logs to MLflow: to the server or store of `MLFLOW_TRACKING_URI`, and without it to MLflow's own default, `mlflow.db` in the current folder.

  The experiment is `MLFLOW_EXPERIMENT_NAME`, by default jssl. The config is logged as parameters by path, such as `losses.nce.temperature`, and
  the pictures are artifacts. Characters that MLflow does not allow in names become `_`.

  A resumed run continues the same MLflow run; points that it has are not logged again. MLflow cannot take points back: if a run goes on from
  an earlier step in another way, by changed settings or after its guard has returned to a checkpoint, the MLflow run gets the tag
  `jssl.superseded`, and a new one of the same name begins with a copy of the points before.
  """

  def __init__(self):
    self.client, self.run_id = None, None
    self.known: dict[str, set[int]] = {}  # metric -> steps that a continued run has

  def start(self, run: Tracked) -> str:
    from mlflow import MlflowClient

    self.client = self.client or MlflowClient()
    last = run.rows[-1]['step'] if run.rows else -1
    self.run_id = self._existing(run.id) if run.id else None
    self.known = self._steps() if self.run_id else {}
    if self.run_id and not run.same and max(map(max, self.known.values()), default=-1) > last:
      self.client.set_tag(self.run_id, 'jssl.superseded', 'true')
      self.client.set_terminated(self.run_id, 'KILLED')
      self.run_id, self.known = None, {}
    if self.run_id:
      self.client.update_run(self.run_id, status='RUNNING')
    else:
      tags = {'jssl.workdir': str(run.workdir), 'jssl.system': str(run.config.get('name')), 'mlflow.source.name': 'jssl'}
      self.run_id = self.client.create_run(self._experiment(), run_name=run.name, tags=tags).info.run_id
    self._parameters(run.config)
    self._log((row['step'], name, x) for row in run.rows for name, x in figures_of(row).items())
    return self.run_id

  def _experiment(self) -> str:
    name = os.environ.get('MLFLOW_EXPERIMENT_NAME', 'jssl')
    found = self.client.get_experiment_by_name(name)
    return found.experiment_id if found else self.client.create_experiment(name)

  def _existing(self, id: str) -> str | None:
    """The id, if there is such a run."""
    from mlflow.exceptions import MlflowException

    try:
      return id if self.client.get_run(id).info.lifecycle_stage == 'active' else None
    except MlflowException as error:
      if error.error_code != 'RESOURCE_DOES_NOT_EXIST':
        raise
      return None

  def _steps(self) -> dict[str, set[int]]:
    names = self.client.get_run(self.run_id).data.metrics
    return {name: {point.step for point in self.client.get_metric_history(self.run_id, name)} for name in names}

  def _parameters(self, config: Mapping[str, Any]) -> None:
    """Logs the parameters; those that have another value than when the run began are tags, since MLflow does not change parameters."""
    from mlflow.entities import Param, RunTag

    before = self.client.get_run(self.run_id).data.params
    given = {_name(path): str(x)[:6000] for path, x in flat(config)}
    new = [Param(name, x) for name, x in given.items() if name not in before]
    for i in range(0, len(new), 100):
      self.client.log_batch(self.run_id, params=new[i : i + 100])
    changed = [RunTag(f'changed.{name}', x) for name, x in given.items() if before.get(name, x) != x]
    self.client.log_batch(self.run_id, tags=changed)

  def _log(self, points: Any) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    points = [(step, _name(name), x) for step, name, x in points]
    metrics = [Metric(name, x, now, step) for step, name, x in points if step not in self.known.get(name, ())]
    for i in range(0, len(metrics), BATCH):
      self.client.log_batch(self.run_id, metrics=metrics[i : i + BATCH])

  def figures(self, step: int, figures: Row) -> None:
    self._log((step, name, x) for name, x in figures.items())

  def alarm(self, step: int, text: str) -> None:
    self.client.set_tag(self.run_id, 'jssl.alarm', f'step {step}: {text}'[:5000])

  def picture(self, step: int, name: str, path: Path) -> None:
    self.client.log_artifact(self.run_id, str(path), 'pictures')

  def finish(self, results: Mapping[str, Any] | None) -> None:
    if results:
      self._log((results.get('step', 0), name, x) for name, x in final(results).items())
      self.client.set_tag(self.run_id, 'jssl.alarms', '; '.join(results.get('alarms', []))[:5000])
    self.client.set_terminated(self.run_id, 'FINISHED' if results else 'KILLED')


def _name(text: str) -> str:
  return re.sub(r'[^\w\-. :/]', '_', text, flags=re.ASCII)[:250]
