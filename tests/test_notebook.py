"""Training in a notebook: one display, drawn anew as the run goes on."""

import sys
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from jssl.api import train  # what it imports looks for IPython itself, before there is one here
from jssl.pictures import live
from jssl.pictures.run import log_picture
from tests.photos import digits

QUICK = dict(steps=12, batch_size=16, protocols=(), settings={'log_every': 2, 'health_every': 4})
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def shown(monkeypatch):
  """What a kernel is asked to display; [figure, [the figures that took its place]] each."""
  displays = []

  def display(figure, display_id):
    assert display_id is True
    displays.append([figure, updates := []])
    return SimpleNamespace(update=updates.append)

  ipython, module = ModuleType('IPython'), ModuleType('IPython.display')
  ipython.version_info = (9, 0)  # which matplotlib asks for
  ipython.get_ipython, module.display = lambda: SimpleNamespace(kernel=object()), display
  monkeypatch.setitem(sys.modules, 'IPython', ipython)
  monkeypatch.setitem(sys.modules, 'IPython.display', module)
  return displays


@pytest.mark.rotating
def test_a_notebook_shows_one_drawing_of_loss_and_health(shown, capsys):
  train('simclr:tiny', IMAGES, **QUICK)
  ((first, updates),) = shown
  last = updates[-1]
  assert last._suptitle.get_text().startswith('simclr: step 12 of 12')
  assert [ax.get_title(loc='left') for ax in last.axes] == ['loss', 'RankMe: dimensions in use', 'deviation: 0 is collapse']
  assert list(last.axes[0].lines[0].get_xdata()) == [2, 4, 6, 8, 10, 12] and last._repr_png_().startswith(b'\x89PNG')
  assert 'step' not in capsys.readouterr().err, 'the bar is not shown beside it'
  train('simclr:tiny', IMAGES, **QUICK, quiet=True)
  assert len(shown) == 1


def test_a_drawing_is_not_made_anew_all_the_time(shown, monkeypatch):
  now = 0.0
  monkeypatch.setattr(live.time, 'monotonic', lambda: now)
  with live.drawn('simclr', 100, 16) as (drawing,):
    rows = []
    for step in range(1, 101):
      rows.append(dict(step=step, loss=1 / step))
      drawing(rows)
      now += 0.1
      if step == 98:
        assert 8 <= len(shown[0][1]) <= 10, 'once a second'
        break
  assert list(shown[0][1][-1].axes[0].lines[0].get_xdata()) == list(range(1, 99)), 'a run that is stopped is drawn to its end'


def test_a_terminal_has_the_bar(shown, monkeypatch, capsys):
  monkeypatch.setattr(sys.modules['IPython'], 'get_ipython', lambda: SimpleNamespace())  # IPython without a kernel
  train('simclr:tiny', IMAGES, **QUICK)
  assert not shown and 'step 12/12' in capsys.readouterr().err


def test_a_log_of_any_run_is_drawn(tmp_path):
  rows = [{'step': 1, 'loss': None, 'a/loss': 2.0, 'b/loss': 1.0}, {'step': 2, 'health/rankme': 3.0, 'health/alarms': 1.0, 'loss': 3.0}]
  figure = log_picture(rows, 'two losses', tmp_path / 'log.png')
  assert [line.get_label() for line in figure.axes[0].lines] == ['loss', 'a', 'b']
  assert [line.get_label() for line in figure.axes[1].lines] == ['features', 'alarm'] and (tmp_path / 'log.png').exists()
  assert log_picture([], 'nothing yet').axes


NOTEBOOK = """\
import glob, jssl
run = jssl.train('simclr', data=dict(name='folder:photos', resize=32), epochs=60, batch_size=64)
run.plot()
z = run.model.encode(files := sorted(glob.glob('more/*/*')))
[[files[i] for i in near] for near in run.model.neighbours(z[:3], z, k=5)[0]]"""


@pytest.mark.long
def test_five_lines_in_a_real_notebook(tmp_path, monkeypatch):
  monkeypatch.delenv('XLA_FLAGS')  # compiled as for a user
  pytest.importorskip('ipykernel')
  nbformat, nbclient = pytest.importorskip('nbformat'), pytest.importorskip('nbclient')
  digits(tmp_path / 'photos', 600)
  digits(tmp_path / 'more', 60, first=700, broken=False)
  assert len(NOTEBOOK.splitlines()) == 5
  lines = NOTEBOOK.splitlines()
  cells = ['\n'.join(lines[:2]), lines[2], '\n'.join(lines[3:])]
  notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
  client = nbclient.NotebookClient(notebook, timeout=900, kernel_name='python3', resources={'metadata': {'path': str(tmp_path)}})
  seen, process = [], client.process_message
  client.process_message = lambda message, *place: (seen.append(message), process(message, *place))[1]
  began = time.monotonic()
  client.execute()
  first, *updates = [m['content'] for m in seen if 'display_data' in m['msg_type']]
  assert len(updates) >= 3 and {m['transient']['display_id'] for m in updates} == {first['transient']['display_id']}
  assert len(updates) <= time.monotonic() - began, 'at most once a second'
  assert all('image/png' in m['data'] for m in (first, *updates))
  (plot,), (found,) = notebook.cells[1].outputs, notebook.cells[2].outputs
  assert 'image/png' in plot['data'] and 'more/' in found['data']['text/plain']
