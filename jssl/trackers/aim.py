"""Aim."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.trackers.tracking import Row, Tracked, figures_of, final


class Aim:
  """Logs to an Aim repository in the current folder, or in a folder above that has one: `aim up` shows it.

  The environment variable `__AIM_REPO_NAME__` gives the repository another name than `.aim`. The config is the parameter `config`, so that runs
  are found by queries such as `run.config.losses.nce.temperature < 0.2`; the final figures are metrics and the parameter `results`.

  A resumed run continues the same Aim run, where points of the same step replace older ones. If a run goes on from an earlier step in another
  way, by changed settings or after its guard has returned to a checkpoint, the Aim run is deleted, and a new one begins with a copy of the
  points before.
  """

  def __init__(self):
    self.run = None

  def start(self, run: Tracked) -> str:
    import aim

    if self.run:
      self.run.close()
    repo = aim.Repo.default_repo(init=True)
    known = run.id if run.id and repo.run_exists(run.id) else None
    if known and not run.same:
      repo.delete_run(known)
      known = None
    self.run = aim.Run(known, repo=repo, experiment='jssl', force_resume=True, system_tracking_interval=None, capture_terminal_logs=False)
    self.run.name = run.name
    self.run['config'], self.run['workdir'] = run.config, str(run.workdir)
    for row in () if known else run.rows:
      self.figures(row['step'], figures_of(row))
    return self.run.hash

  def figures(self, step: int, figures: Row) -> None:
    for name, x in figures.items():
      self.run.track(x, name=name, step=step)

  def alarm(self, step: int, text: str) -> None:
    self.run.log_warning(f'collapse alarm at step {step}: {text}')

  def picture(self, step: int, name: str, path: Path) -> None:
    import aim

    self.run.track(aim.Image(str(path)), name=name, step=step)

  def finish(self, results: Mapping[str, Any] | None) -> None:
    if results:
      self.figures(results.get('step', 0), final(results))
      self.run['results'] = {key: results.get(key, {}) for key in ('figures', 'baselines', 'alarms')}
    self.run.close()
