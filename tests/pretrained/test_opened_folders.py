"""Folders of transformers, Sentence Transformers and timm, opened by `jssl.load`."""

import json

import jax
import numpy as np
import pytest
from flax import nnx

import jssl
from jssl.data.text import tokenize
from jssl.models.pretrained import bert
from jssl.models.pretrained.family import write_folder
from jssl.models.text.bert import Bert
from jssl.models.vision.swin import Swin

TEXTS = ['an apple', 'a basket of apples, and a pear']


@pytest.fixture(scope='module')
def texts(tmp_path_factory):
  folder = tmp_path_factory.mktemp('texts')
  net = Bert((12,), vocabulary=4096, width=16, depth=1, heads=2, rngs=nnx.Rngs(0))
  bert.write(folder, net, tokenizer=tokenize.load('starts'), length=8, normalize=True)
  return folder


@pytest.mark.rotating
def test_texts_are_encoded_as_by_the_network(texts, caplog, tmp_path):
  model = jssl.load(texts)
  assert model.data.spec['ids'].length == 8 and 'normalize_embeddings=True' in caplog.text
  net = bert.bert((8,), folder=str(texts), rngs=nnx.Rngs(0))
  ids = tokenize.encode(tokenize.load(str(texts / 'tokenizer.json')), TEXTS, 8)
  z = model.encode(TEXTS, batch_size=8)
  np.testing.assert_allclose(z, jax.jit(lambda x: net(x).pooled)(ids), atol=1e-5)
  model.save(tmp_path / 'saved')
  np.testing.assert_array_equal(jssl.load(tmp_path / 'saved').encode(TEXTS, batch_size=8), z)


def test_the_length_of_texts_can_be_given(texts):
  assert jssl.load(texts, length=5).data.spec['ids'].length == 5
  with pytest.raises(jssl.JsslError, match='takes at most 12 tokens, and was given 13'):
    jssl.load(texts, length=13)


@pytest.mark.rotating
def test_images_are_prepared_as_the_folder_says(tmp_path):
  net = Swin((32, 32, 3), width=8, depths=(2, 2), heads=(2, 2), window=4, rngs=nnx.Rngs(0))
  write_folder(tmp_path, net, 'timm/swin')
  config = json.loads((tmp_path / 'config.json').read_text())
  config['pretrained_cfg'] |= dict(mean=[0.5, 0.4, 0.3], std=[0.2, 0.2, 0.1])
  (tmp_path / 'config.json').write_text(json.dumps(config))
  images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
  standardised = (images / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.2, 0.1])
  net.eval()
  expected = jax.jit(lambda x: net(x).pooled)(standardised.astype(np.float32))
  np.testing.assert_allclose(jssl.load(tmp_path).encode(images, batch_size=8), expected, atol=1e-4)


def test_folders_without_one_readable_network_are_refused(tmp_path, texts):
  for config, says in (
    (dict(model_type='clip'), r"holds the networks \['text', 'vision'\], and only one can be opened"),
    (dict(model_type='vit'), 'no size of images'),
    (dict(model_type='unknown', image_size=8), "model_type = 'unknown'"),
  ):
    (tmp_path / 'config.json').write_text(json.dumps(config))
    with pytest.raises(jssl.JsslError, match=says):
      jssl.load(tmp_path)
  jssl.load(texts, length=8).save(tmp_path / 'saved')
  with pytest.raises(jssl.ConfigError, match='leave length=8 out'):
    jssl.load(tmp_path / 'saved', length=8)
