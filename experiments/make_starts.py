"""Trains the networks that jssl ships by their configs, and writes each as a folder of jssl/models/pretrained/starts.

python experiments/make_starts.py NAME [WORKDIR]      masked_lm, causal_lm or image_encoder; a run in WORKDIR is resumed

A run that is done is taken as it is. On one core of a CPU they take from five to fifteen minutes. On another machine the weights differ in
their last bits.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from jssl import run
from jssl.core.build import Plan
from jssl.data.text.corpora import tokenizer_of
from jssl.model import load
from jssl.models.pretrained import bert, files, gpt2, starts
from jssl.models.pretrained.names import arrays, tensors_of
from jssl.models.vision.vit import vit_micro

CARD = """# {name}

{about}

- Made by `python experiments/make_starts.py {name}` from the config `{name}`: {steps} updates of {batch_size} examples, seed {seed}.
- Trained on {data}, split 'train': {description}
- Licence of the data: {licence}
- Citation: {citation}
- Licence of the weights: CC BY-SA 4.0, as part of the data are under an earlier version. They are stored in 16 bits and read as 32.

Figures on the split 'test', before rounding to 16 bits:

{figures}
"""
ABOUT = dict(
  masked_lm="A BERT of {depth} blocks of width {width} that tells hidden words (Devlin et al., arXiv:1810.04805). Lower-case English, at most "
  "32 word pieces. In the form of Hugging Face's BertForMaskedLM.",
  causal_lm="A GPT-2 of {depth} blocks of width {width} (Radford et al. 2019; Brown et al., arXiv:2005.14165). Lower-case English between "
  "[CLS] and [SEP], at most 48 word pieces. In the form of Hugging Face's GPT2LMHeadModel.",
  image_encoder='The encoder of a masked autoencoder (He et al., arXiv:2111.06377), a ViT of {depth} blocks of width {width} on patches of '
  '4 by 4 of images with one channel, which are standardised: less 0.13, over 0.31. Read by `jssl.models.pretrained.starts.image_encoder`.',
)  # fmt: skip


def make(name: str, workdir: str) -> Path:
  """Trains, or reads what was trained, and writes the folder."""
  done = Path(workdir) / 'results.json'
  results = json.loads(done.read_text()) if done.exists() else run.train(run.load_config(name).to_dict(), workdir)
  model = load(workdir)
  plan, train = model.plan, model.train
  nets = plan.method_of(int(train.step)).networks(train.params, train.state)
  folder = starts.FOLDER / name
  folder.mkdir(parents=True, exist_ok=True)
  {'masked_lm': write_masked, 'causal_lm': write_causal, 'image_encoder': write_image}[name](folder, plan, nets)
  (folder / 'README.md').write_text(card(name, plan, results))
  return folder


def write_masked(folder: Path, plan: Plan, nets: Mapping[str, nnx.Module]) -> None:
  net, head = nets['backbone'], nets['lm']
  with tempfile.TemporaryDirectory() as aside:
    bert.write(folder, net, tokenizer=tokenizer(plan, Path(aside)))
  tensors = {f'bert.{tensor}': x for tensor, x in tensors_of(net, bert.names(net)).items()}
  files.write(folder / 'model.safetensors', tensors | tensors_of(head, bert.FAMILY.heads['masked_lm'].names(head)))
  path = folder / 'config.json'
  path.write_text(json.dumps(json.loads(path.read_text()) | dict(architectures=['BertForMaskedLM']), indent=2) + '\n')


def write_causal(folder: Path, plan: Plan, nets: Mapping[str, nnx.Module]) -> None:
  with tempfile.TemporaryDirectory() as aside:
    gpt2.write(folder, nets['backbone'], tokenizer=tokenizer(plan, Path(aside)), dtype='float16')


def write_image(folder: Path, plan: Plan, nets: Mapping[str, nnx.Module]) -> None:
  options = {key: x for key, x in {**vit_micro.keywords, **plan.config['backbone']}.items() if key not in ('name', 'pool')}
  tensors = {path: np.asarray(x[...]) for path, x in arrays(nets['backbone']).items()}
  files.write(folder / 'model.safetensors', tensors)
  (folder / 'config.json').write_text(json.dumps(dict(network='vit', options=options), indent=2) + '\n')


def tokenizer(plan: Plan, folder: Path) -> Path:
  """The one of the data set, as a file."""
  made, _ = tokenizer_of(tuple(plan.data.info['texts']['train']), plan.config['data']['vocabulary'], None)
  made.no_truncation()
  made.save(str(folder / 'tokenizer.json'))
  return folder / 'tokenizer.json'


def card(name: str, plan: Plan, results: Mapping[str, Any]) -> str:
  rows = {**results['baselines'], name: results['figures']}
  keys = [key for key, x in results['figures'].items() if isinstance(x, float)]
  line = lambda cells: f'| {" | ".join(cells)} |'
  table = [line(['', *keys]), line(['---'] * (len(keys) + 1))]
  table += [line([row, *(f'{found[key]:.3f}' if key in found else '' for key in keys)]) for row, found in rows.items()]
  c, info = plan.config, plan.data.info
  return CARD.format(
    name=name, about=ABOUT[name].format(**c['backbone']), steps=plan.steps, batch_size=c['batch_size'], seed=c['seed'], data=c['data']['name'],
    description=info['description'], licence=info['licence'], citation=' '.join(info['citation'].split()), figures='\n'.join(table),
  )  # fmt: skip


if __name__ == '__main__':
  if len(sys.argv) < 2 or sys.argv[1] not in ABOUT:
    sys.exit(f'give a name: {", ".join(ABOUT)}')
  made = make(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp())
  digest = hashlib.sha256((made / 'model.safetensors').read_bytes()).hexdigest()[:16]
  print(f'{made}: write {made.name}={digest!r} into WEIGHTS of jssl/models/pretrained/starts.py')
