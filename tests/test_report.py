"""Reports: what a page has of a run, of runs that did not end, of several runs and of the ledger; it needs nothing but itself."""

import json
import re
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from flax import nnx

import jssl
from jssl import api, cli
from jssl.artefact import of_run
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.data.core.memory import hold
from jssl.errors import ConfigError
from jssl.keys import complete
from jssl.model import Model
from jssl.models.vision.vit import ViT
from jssl.report import charts, comparison, examples, ledger, run, runs, vision

FIGURES = {'knn_top1': 0.8, 'knn_top1_low': 0.75, 'knn_top1_high': 0.85, 'linear_top1': None}
RAW = {'knn_top1': 0.5, 'knn_top1_low': 0.45, 'knn_top1_high': 0.55}


def workdir(folder, results=True, rows=3, **settings):
  """A workdir as a run of SimCLR leaves it, without its checkpoints and model."""
  c = complete(jssl.load_config('simclr:tiny', [f'{key}={value}' for key, value in settings.items()]))
  folder.mkdir()
  (folder / 'config.json').write_text(json.dumps(c, default=str))
  if results:
    found = dict(name='simclr', figures=FIGURES, baselines={'raw_input': RAW}, health={'deviation': 0.1}, alarms=['<b>collapse</b>'])
    found |= dict(seconds=75.0, compiles=1, versions={'jax': '0.10'}, step=rows)
    (folder / 'results.json').write_text(json.dumps(found))
  lines = [dict(step=i + 1, loss=3.0 - i, **{'health/rankme': 4.0 + i, 'health/alarms': 0.0}) for i in range(rows)]
  (folder / 'metrics.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in lines))
  return folder


def gone():
  raise ConfigError('the data <i>have moved</i>; put them back')


def page(folder):
  return run.of(runs.read(folder), folder, gone)


def stands_alone(text):
  assert not re.search(r'(?:src|href)="(?!data:|#)', text) and 'http://' not in text.replace('http://www.w3.org', '')
  assert not re.search(r'url\((?!#|\$|&quot;)', text) and '@import' not in text


def test_report_of_a_run(tmp_path):
  made = page(workdir(tmp_path / 'w', **{'losses.nce.temperature': 0.3}))
  assert made.sections == ['figures', 'training', 'settings', 'cost', 'left-out']
  stands_alone(made.html)
  for said in ('0.800', '[0.750, 0.850]', 'not finite', 'raw input', 'recipe simclr:tiny', 'losses.nce.temperature', '1 min 15 s', '0.10'):
    assert said in made.html, said
  assert '&lt;b&gt;collapse' in made.html and '<b>collapse' not in made.html
  assert made.left_out == {'representation': 'the data <i>have moved</i>; put them back'} and '<i>have' not in made.html
  assert made.html.count('<svg') == made.html.count('role="img"') >= 2


@pytest.mark.parametrize(
  'damage, says',
  [
    (lambda w: (w / 'results.json').unlink(), 'The run has no results yet'),
    (lambda w: (w / 'results.json').write_text('{"figures": {'), 'results.json cannot be read'),
    (lambda w: (w / 'results.json').write_text('[1]'), 'results.json cannot be read'),
    (lambda w: (w / 'results.json').write_text('{"step": 1}'), 'the log goes on to step 3'),
    (lambda w: (w / 'results.json').write_text('{"figures": {"a": 1}, "versions": null}'), 'a</th>'),
    (lambda w: (w / 'results.json').write_text('{"figures": 3, "baselines": {"raw_input": 1}}'), 'baselines of results.json cannot be read'),
    (lambda w: (w / 'metrics.jsonl').unlink(), '0.800'),
    (lambda w: (w / 'metrics.jsonl').write_text('{"step": 1, "loss": null}\nnonsense\n{"step": 2, "lo'), '1 of 3 lines of metrics.jsonl'),
  ],
)
def test_partial_workdirs_give_a_report_that_says_so(tmp_path, monkeypatch, damage, says):
  monkeypatch.setattr(charts, 'of_panel', lambda *_: '')
  folder = workdir(tmp_path / 'w')
  damage(folder)
  assert says in page(folder).html


def test_runs_are_compared(tmp_path):
  a, b = workdir(tmp_path / 'a'), workdir(tmp_path / 'b', results=False, **{'losses.nce.temperature': 0.3})
  made = comparison.report([a, b])
  stands_alone(made.html)
  assert made.sections == ['figures', 'training', 'settings']
  assert 'losses.nce.temperature' in made.html and 'b: The run has no results yet' in made.html and 'losses.nce.name' not in made.html


def test_the_command(tmp_path, capsys):
  assert cli.main(['report']) == 2 and cli.main(['report', str(tmp_path), '--ledger']) == 2
  assert cli.main(['report', str(tmp_path)]) == 2 and 'holds no readable run' in capsys.readouterr().err
  assert cli.main(['report', str(tmp_path / 'gone')]) == 2 and 'holds no readable run' in capsys.readouterr().err
  folder = workdir(tmp_path / 'w')
  assert cli.main(['report', str(folder), str(folder)]) == 2 and 'given twice' in capsys.readouterr().err
  other, output = workdir(tmp_path / 'v'), tmp_path / 'both.html'
  assert cli.main(['report', str(folder), str(other), '--output', str(tmp_path / 'no' / 'x.html')]) == 2
  capsys.readouterr()
  assert cli.main(['report', str(folder), str(other), '--output', str(output), '--json']) == 0
  assert json.loads(capsys.readouterr().out)['output'] == str(output) and output.read_text().startswith('<!DOCTYPE html>')


def test_report_of_a_model_and_its_data(tmp_path):
  random = np.random.RandomState(0)
  label = random.randint(0, 2, 60)
  image = (random.rand(60, 16, 16, 1) * 60 + 150 * label[:, None, None, None]).astype(np.uint8)
  data = jssl.arrays(image=image, label=label, held_out=0.4, facts=dict(label=dict(classes=('<dark>', 'bright'))))
  c = jssl.load_config('simclr:tiny', ['batch_size=8', 'backbone.name=vit_micro', 'backbone.width=16', 'backbone.depth=1', 'backbone.heads=2'])
  with c.ignore_type():
    c.data = hold(data)
  p = jssl.plan(c)
  start = Programs(p, make_mesh(devices=jax.local_devices()[:1])).start(seed_data(p))
  trained = SimpleNamespace(log=SimpleNamespace(rows=[dict(step=1, loss=2.0)]))
  found = api.Run(dict(name='simclr', figures={}, baselines={}), Model(of_run(p, start), p), trained, None)
  made = found.report(tmp_path / 'report.html')
  assert not made.left_out
  assert made.sections == ['training', 'map', 'neighbours', 'views', 'attention', 'patches', 'settings', 'cost']
  text = (tmp_path / 'report.html').read_text()
  stands_alone(text)
  assert '&lt;dark&gt;' in text and '<dark>' not in text and made._repr_html_().startswith('<iframe srcdoc="&lt;!DOCTYPE')
  assert text.count('<circle') == 24


def test_attention_is_that_of_queries_and_keys_of_the_last_block():
  net = ViT((8, 8, 1), width=8, depth=1, heads=2, patch=4, registers=1, rngs=nnx.Rngs(1))
  x = jax.random.normal(jax.random.key(1), (2, 8, 8, 1))
  patches = np.asarray(jax.jit(lambda x: net(x).layers[0])(x))  # what enters the block
  tokens = np.concatenate([np.broadcast_to(net.cls[...], (2, 1, 8)), patches], 1)
  y = (tokens - tokens.mean(-1, keepdims=True)) / np.sqrt(tokens.var(-1, keepdims=True) + 1e-6)
  qkv = y @ np.asarray(net.blocks.attention.qkv.kernel[...][0])
  q, k = (qkv[..., i * 8 : i * 8 + 8].reshape(2, 5, 2, 4) for i in (0, 1))
  logits = np.einsum('bhd,bnhd->bhn', q[:, 0], k[:, 1:]) / 2
  expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  assert np.ptp(expected) > 1e-3
  np.testing.assert_allclose(vision.attention(net, x), expected.reshape(2, 2, 2, 2), rtol=1e-4)


def test_tiles_show_pictures_series_and_videos():
  column = lambda *shape: jssl.Column(shape, np.float32)
  assert examples.tiles('image', np.ones((2, 100, 50, 3), np.uint8), jssl.Column((100, 50, 3), np.uint8)).shape == (2, 56, 28, 3)
  assert examples.tiles('series', np.full((2, 20, 5), np.nan, np.float32), column(20, 5)).shape == (2, 56, 112, 3)
  assert examples.tiles('clip', np.zeros((2, 4, 8, 8, 1), np.uint8), jssl.Column((4, 8, 8, 1), np.uint8)).shape == (2, 8, 8, 3)
  assert examples.tiles('vector', np.zeros((2, 5), np.float32), column(5)) is None


def test_a_claim_as_a_bar():
  claim = dict(text='better', state='held', stale=True, tries=1, looks=2)
  shown = ledger.system(dict(name='missing_mmd', family='analysis', fidelity='partial', claim=claim))
  assert len(shown['lines']) == 3 and shown['counts'] == '2 looks, 1 try, stale'
  for line in shown['lines']:
    assert 0 <= line['low'] <= line['at'] <= line['high'] <= 100 and (line['margin'] < line['low']) == (line['state'] == 'held')
