"""Folders of weights, changed: what each function gives, or is, changes a folder that is a copy."""

import json
from pathlib import Path

from safetensors.numpy import load_file, save_file

TINY = Path(__file__).resolve().parents[1] / 'models' / 'tiny_bert'
POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 90868376\n'
WORDS = 'embeddings.word_embeddings.weight'


def config(**changes):
  def change(folder):
    path = folder / 'config.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

  return change


def tensors(change):
  def changed(folder):
    save_file(change(load_file(folder / 'model.safetensors')), folder / 'model.safetensors')

  return changed


def file(name, content):
  def write(folder):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

  return write


def both(*changes):
  def change(folder):
    for step in changes:
      step(folder)

  return change


def without(name):
  return lambda folder: (folder / name).unlink()


def shards(folder):
  """The weights in three files, and the index of them."""
  found = load_file(folder / 'model.safetensors')
  weight_map = {name: f'model-{i % 3 + 1:05}-of-00003.safetensors' for i, name in enumerate(sorted(found))}
  for name in set(weight_map.values()):
    save_file({k: x for k, x in found.items() if weight_map[k] == name}, folder / name)
  file('model.safetensors.index.json', dict(metadata={}, weight_map=weight_map))(folder)
  (folder / 'model.safetensors').unlink()


def cut(folder):
  path = folder / 'model.safetensors'
  path.write_bytes(path.read_bytes()[:-1])
