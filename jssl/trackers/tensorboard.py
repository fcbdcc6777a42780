"""TensorBoard, by event files in the workdir."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.trackers.tracking import Row, Tracked, figures_of, final, flat


class TensorBoard:
  """Writes event files into the workdir, without an account or a server: `tensorboard --logdir runs` shows all runs.

  Scalars have the names of the log. The config is a text, and at the end also the hyperparameters of the tab HPARAMS, with the final figures.
  A resumed run adds a file, in which TensorBoard finds the step from which older points are void.
  """

  def __init__(self):
    self.writer, self.config = None, {}

  def start(self, run: Tracked) -> None:
    from tensorboardX import SummaryWriter

    if self.writer:
      self.writer.close()
    self.config = run.config
    written = any(run.workdir.glob('events.out.tfevents.*'))
    last = run.rows[-1]['step'] if run.rows else -1
    suffix = f'.{time.time_ns()}'  # files are read in the order of their names, which have the time in whole seconds
    self.writer = SummaryWriter(str(run.workdir), purge_step=last + 1 if written else None, filename_suffix=suffix)
    indented = json.dumps(run.config, indent=2).replace('\n', '\n    ')
    self.writer.add_text('config', f'    {indented}', last + 1)
    for row in () if written else run.rows:
      self.figures(row['step'], figures_of(row))
    self.writer.flush()

  def figures(self, step: int, figures: Row) -> None:
    for name, x in figures.items():
      self.writer.add_scalar(name, x, step)
    self.writer.flush()  # what a later run that resumes here relies on

  def alarm(self, step: int, text: str) -> None:
    self.writer.add_text('alarm', text, step)

  def picture(self, step: int, name: str, path: Path) -> None:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
      self.writer.add_image(name, np.asarray(image.convert('RGB')), step, dataformats='HWC')

  def finish(self, results: Mapping[str, Any] | None) -> None:
    if results:
      from tensorboardX.summary import hparams

      step, figures = results.get('step', 0), final(results)
      for name, x in figures.items():
        self.writer.add_scalar(name, x, step)
      if told := '; '.join(results.get('alarms', [])):
        self.writer.add_text('alarms', told, step)
      plain = {path: x if isinstance(x, str | bool | int | float) else json.dumps(x) for path, x in flat(self.config)}
      for summary in hparams(plain, figures):
        self.writer.file_writer.add_summary(summary)
    self.writer.close()
