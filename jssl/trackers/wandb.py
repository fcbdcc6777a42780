"""Weights & Biases."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.storage import remote
from jssl.trackers.tracking import Row, Tracked, figures_of, final

# options of a W&B run -> the environment variables of wandb that set them
NAMED = dict(project='WANDB_PROJECT', name='WANDB_NAME', group='WANDB_RUN_GROUP', dir='WANDB_DIR')


class Wandb:
  """Logs to Weights & Biases: to the account of `wandb login` or `WANDB_API_KEY`, and without one to a folder in the workdir.

  The folder, `WORKDIR/wandb/offline-run-*`, is uploaded by `wandb sync`. The environment variables of wandb apply, such as WANDB_MODE,
  WANDB_PROJECT (by default jssl), WANDB_ENTITY and WANDB_DIR.

  A resumed run continues the same W&B run. W&B cannot take points back: if a run goes on from an earlier step in another way, by changed
  settings or after its guard has returned to a checkpoint, the W&B run gets the tag superseded, and a new one of the same name and group begins
  with a copy of the points before. An offline folder is written anew instead.
  """

  def __init__(self):
    self.run, self.first = None, 0

  def start(self, run: Tracked) -> str:
    import wandb

    mode = wandb.setup().settings.mode  # of WANDB_MODE, or of `wandb offline`
    if mode == 'online' and not wandb.login(prompt=False):
      mode = 'offline'
    if self.run:
      self.run.finish(exit_code=1)
    if run.id and mode == 'offline':
      self._remove(run)
    last = run.rows[-1]['step'] if run.rows else -1
    self._open(run, run.id, mode)
    if not self.run.offline and self.run.starting_step > last + 1 and not run.same:
      self.run.tags = (*(self.run.tags or ()), 'superseded')
      self.run.finish(exit_code=1)
      self._open(run, wandb.util.generate_id(), mode)
    self.first = self.run.starting_step  # W&B has the steps before
    for row in run.rows:
      self.figures(row['step'], figures_of(row))
    return self.run.id

  def _open(self, run: Tracked, id: str | None, mode: str) -> None:
    import wandb

    given = {key: os.environ[name] for key, name in NAMED.items() if name in os.environ}
    settings = dict(reinit='create_new')  # whatever run of W&B the caller has
    settings |= {} if 'WANDB_QUIET' in os.environ else dict(quiet=True)  # otherwise all figures are printed once more at the end
    settings |= {} if 'WANDB_CONSOLE' in os.environ else dict(console='off')
    named = dict(project='jssl', name=run.name, group=run.name, dir=None if remote(run.workdir) else str(run.workdir)) | given
    self.run = wandb.init(**named, id=id, resume='allow' if id else None, mode=mode, settings=wandb.Settings(**settings))
    self.run.config.update(run.config, allow_val_change=True)

  def _remove(self, run: Tracked) -> None:
    """Removes the offline folder of an earlier part of the run, whose points are in the new one too."""
    of = Path(os.environ.get('WANDB_DIR') or (Path() if remote(run.workdir) else run.workdir)) / 'wandb'
    for folder in of.glob(f'offline-run-*-{run.id}'):
      shutil.rmtree(folder)

  def figures(self, step: int, figures: Row) -> None:
    if step >= self.first:
      self.run.log(dict(figures), step=step)

  def alarm(self, step: int, text: str) -> None:
    import wandb

    self.run.alert(title='collapse alarm', text=f'step {step}: {text}', level=wandb.AlertLevel.WARN)

  def picture(self, step: int, name: str, path: Path) -> None:
    import wandb

    self.run.log({name: wandb.Image(str(path))}, step=step)

  def finish(self, results: Mapping[str, Any] | None) -> None:
    if results:
      self.run.summary.update({**final(results), 'alarms': results.get('alarms', [])})
    self.run.finish(exit_code=0 if results else 1)
