"""Folders of weights that contradict themselves, are damaged, or describe what jssl cannot compute."""

import shutil

import jax
import numpy as np
import pytest
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models import Bert
from jssl.models.pretrained import gpt2
from jssl.models.pretrained.family import from_folder, head_from_folder, write_folder
from jssl.tables import FAMILIES
from tests.pretrained.damage import POINTER, TINY, WORDS, both, config, cut, file, shards, tensors, without

FROM_PAD = dict(types=1, from_pad=True, pad=1, length=10)
NETS = {
  'roberta': FROM_PAD,
  'mpnet': FROM_PAD | dict(types=0, buckets=32),
  'distilbert': dict(types=0),
  'electra': dict(embedding=4),
}


def modules(*names):
  return file('modules.json', [dict(type=f'st.models.{name}', path=name) for name in names])


def tokenizer(ids, **more):
  return file('tokenizer.json', dict(model=dict(type='WordPiece', vocab={str(i): i for i in range(ids)}), **more))


def more(name):
  return tensors(lambda x: x | {name: np.zeros((8, 8), np.float32)})


# (family, what is wrong) -> what makes it so, what the line says
REFUSED = {
  ('bert', 'no config'): (without('config.json'), 'give a folder'),
  ('bert', 'no JSON'): (file('config.json', b'{"vocab'), 'not JSON'),
  ('bert', 'a list'): (file('config.json', []), 'expected a dict'),
  ('bert', 'an unknown family'): (config(model_type='fnet'), "model_type = 'fnet': expected one of"),
  ('bert', 'code of its own by name'): (config(model_type='tests.made:up'), "model_type = 'tests.made:up': expected one of"),
  ('bert', 'no family'): (config(model_type=None), 'model_type = None'),
  ('bert', 'another family'): (config(model_type='gpt2'), 'no tensor'),
  ('bert', 'a decoder'): (config(is_decoder=True), 'is_decoder = True'),
  ('bert', 'cross-attention'): (config(add_cross_attention=True), 'add_cross_attention'),
  ('bert', 'an unknown activation'): (config(hidden_act='mish'), "hidden_act = 'mish'; only gelu_python, gelu,"),
  ('bert', 'an activation of code'): (config(hidden_act=['gelu']), 'hidden_act'),
  ('bert', 'other positions'): (config(position_embedding_type='relative_key'), 'relative_key'),
  ('bert', 'quantized'): (config(quantization_config={'bits': 4}), 'quantization_config'),
  ('bert', 'code of its own'): (config(auto_map={'AutoModel': 'modeling.Other'}), 'auto_map'),
  ('bert', 'a word for a number'): (config(hidden_size='8'), "hidden_size = '8'"),
  ('bert', 'uneven heads'): (config(num_attention_heads=3), 'do not divide'),
  ('bert', 'no weights'): (without('model.safetensors'), 'never read'),
  ('bert', 'pickled weights'): (both(without('model.safetensors'), file('pytorch_model.bin', b'PK')), 'pickled weights are never read'),
  ('bert', 'a pointer'): (file('model.safetensors', POINTER), 'git lfs pull'),
  ('bert', 'cut short'): (cut, 'get it again'),
  ('bert', 'an empty file'): (file('model.safetensors', b''), 'get it again'),
  ('bert', 'other tensors'): (tensors(lambda _: {'encoder.layer.0.x': np.zeros(1, np.float32)}), 'no tensor'),
  ('bert', 'the prefix of another'): (tensors(lambda x: {f'roberta.{k}': v for k, v in x.items()}), 'no tensor'),
  ('bert', 'more words'): (tensors(lambda x: x | {WORDS: np.zeros((32, 8), np.float32)}), r'\(32, 8\): config.json says \(30, 8\)'),
  ('bert', 'fewer words'): (config(vocab_size=31), r'\(30, 8\): config.json says \(31, 8\)'),
  ('bert', 'wider'): (config(intermediate_size=16), r'\(12, 8\): config.json says \(16, 8\)'),
  ('bert', 'more positions'): (config(max_position_embeddings=9), 'position_embeddings'),
  ('bert', 'more layers'): (config(num_hidden_layers=1), 'encoder.layer.1.'),
  ('bert', 'fewer layers'): (config(num_hidden_layers=3), 'encoder.layer.2.'),
  ('bert', 'unknown parts'): (more('encoder.layer.0.adapter.weight'), 'adapter'),
  ('bert', 'whole numbers'): (tensors(lambda x: x | {WORDS: x[WORDS].astype(np.int8)}), 'I8'),
  ('bert', 'a lost shard'): (both(shards, without('model-00002-of-00003.safetensors')), 'model-00002-of-00003.safetensors does not exist'),
  ('bert', 'a pointer to a shard'): (both(shards, file('model-00002-of-00003.safetensors', POINTER)), 'git lfs pull'),
  ('bert', 'no shards'): (both(without('model.safetensors'), file('model.safetensors.index.json', {})), 'expected files'),
  ('bert', 'shards elsewhere'): (
    both(without('model.safetensors'), file('model.safetensors.index.json', {'weight_map': {'x': '../model.safetensors'}})),
    'expected files',
  ),
  ('bert', 'the largest value'): (file('1_Pooling/config.json', dict(pooling_mode_max_tokens=True)), 'pooling_mode_max_tokens'),
  ('bert', 'two poolings'): (file('1_Pooling/config.json', dict(pooling_mode_cls_token=True, pooling_mode_mean_tokens=True)), 'pools by'),
  ('bert', 'another pooling'): (file('1_Pooling/config.json', dict(pooling_mode='lasttoken')), 'lasttoken'),
  ('bert', 'a further map'): (modules('Transformer', 'Pooling', 'Dense'), 'Dense'),
  ('bert', 'a tokenizer of more ids'): (tokenizer(31), r'ids 0 to 30, and config.json a vocabulary of 30'),
  ('roberta', 'a tokenizer with a token more'): (tokenizer(30, added_tokens=[dict(id=30, content='x')]), 'ids 0 to 30'),
  ('roberta', 'a tokenizer of pieces'): (file('tokenizer.json', dict(model=dict(vocab=[['a', -1.0]] * 40))), 'ids 0 to 39'),
  ('roberta', 'no padding to count from'): (config(pad_token_id=None), 'pad_token_id = None, and positions count from it'),
  ('roberta', 'more token types'): (config(type_vocab_size=2), 'token_type_embeddings'),
  ('roberta', 'a missing type'): (config(type_vocab_size=0), 'type_vocab_size = 0'),
  ('roberta', 'a further map'): (modules('Transformer', 'Pooling', 'Dense'), 'Dense'),
  ('roberta', 'the weights of another'): (
    tensors(lambda x: {k.replace('attention.self', 'attention.attn'): v for k, v in x.items()}), 'no tensor .encoder.layer'
  ),
  ('mpnet', 'other classes of distances'): (config(relative_attention_num_buckets=16), 'relative_attention_num_buckets = 16'),
  ('mpnet', 'padding that its code ignores'): (config(pad_token_id=0), 'pad_token_id = 0; only 1'),
  ('mpnet', 'no classes of distances'): (
    tensors(lambda x: {k: v for k, v in x.items() if 'relative' not in k}), 'relative_attention_bias'
  ),
  ('distilbert', 'an unknown activation'): (config(activation='tanh'), "activation = 'tanh'"),
  ('distilbert', 'uneven heads'): (config(n_heads=3), 'do not divide'),
  ('distilbert', 'whole numbers'): (tensors(lambda x: {k: v.astype(np.int8) for k, v in x.items()}), 'I8'),
  ('distilbert', 'token types'): (more('embeddings.token_type_embeddings.weight'), 'token_type_embeddings'),
  ('electra', 'no projection'): (config(embedding_size=8), r'config.json says'),
  ('electra', 'a projection lost'): (tensors(lambda x: {k: v for k, v in x.items() if 'project' not in k}), 'embeddings_project'),
  ('gpt2', 'another activation'): (config(activation_function='relu'), 'activation_function'),
  ('gpt2', 'cut short'): (cut, 'get it again'),
  ('gpt2', 'fewer layers'): (config(n_layer=2), 'h.1.'),
}  # fmt: skip


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """A small folder of each family."""
  at = tmp_path_factory.mktemp('written')
  shutil.copytree(TINY, at / 'bert')
  (at / 'bert' / 'expected.safetensors').unlink()
  for family, options in NETS.items():
    net = Bert((8,), vocabulary=30, width=8, depth=1, heads=2, hidden=12, rngs=nnx.Rngs(0), **options)
    write_folder(at / family, net, family)
  write_folder(at / 'gpt2', gpt2.sized((8,), length=8, vocabulary=30, width=8, depth=1, heads=2, rngs=nnx.Rngs(0)), 'gpt2')
  return at


def refused(run, match):
  with pytest.raises(PretrainedError, match=match) as error:
    run()
  assert '\n' not in str(error.value) and len(str(error.value)) < 400


@pytest.mark.parametrize(('family', 'wrong'), REFUSED)
@pytest.mark.rotating
def test_what_cannot_be_obeyed_is_refused_in_a_line(written, tmp_path, family, wrong):
  folder = shutil.copytree(written / family, tmp_path / 'folder')
  change, match = REFUSED[family, wrong]
  change(folder)
  make = lambda: nnx.to_pure_dict(nnx.state(from_folder((7,), folder=str(folder), rngs=nnx.Rngs(0))))
  for run in (make, jax.jit(make), lambda: jax.eval_shape(make)):
    refused(run, match)


@pytest.mark.parametrize('family', ['bert', *NETS, 'gpt2'])
def test_what_is_whole_is_read(written, family):
  from_folder((7,), folder=str(written / family), rngs=nnx.Rngs(0))


def test_two_networks_and_no_part(written, tmp_path, monkeypatch):
  for part in ('text', 'vision'):
    monkeypatch.setitem(FAMILIES._entries, f'two:{part}', 'bert:FAMILY')
  folder = shutil.copytree(written / 'bert', tmp_path / 'folder')
  refused(lambda: from_folder((7,), folder=str(folder), part='text', rngs=nnx.Rngs(0)), 'leave part')
  config(model_type='two')(folder)
  for part in (None, 'audio'):
    refused(lambda part=part: from_folder((7,), folder=str(folder), part=part, rngs=nnx.Rngs(0)), r"\['text', 'vision'\]: give one of them")


@pytest.mark.parametrize(
  ('options', 'match'),
  [(dict(depth=3), 'choose 1 to 2'), (dict(drop_path=0.1), 'takes no drop_path'), (dict(part='text'), 'leave part')],
)
def test_options_that_a_folder_does_not_have(written, options, match):
  refused(lambda: from_folder((7,), folder=str(written / 'bert'), rngs=nnx.Rngs(0), **options), match)


def test_heads_that_a_folder_does_not_have(written):
  head = lambda name: head_from_folder(8, folder=str(written / 'bert'), head=name, rngs=nnx.Rngs(0))
  refused(lambda: head('span'), r"\['classifier', 'masked_lm', 'pooler'\], not 'span'")
  refused(lambda: head('classifier'), 'no tensor')


def test_a_pool_that_is_given_stands_in_for_one_that_cannot_be_read(written, tmp_path):
  folder = shutil.copytree(written / 'roberta', tmp_path / 'folder')
  modules('Transformer', 'Pooling', 'Dense')(folder)
  assert from_folder((7,), folder=str(folder), pool='cls', rngs=nnx.Rngs(0)).pool == 'cls'


@pytest.mark.parametrize('family', [*NETS])
def test_a_folder_of_any_family_says_how_it_pools(written, tmp_path, family):
  folder = shutil.copytree(written / family, tmp_path / 'folder')
  file('1_Pooling/config.json', dict(pooling_mode='cls'))(folder)
  assert from_folder((7,), folder=str(folder), rngs=nnx.Rngs(0)).pool == 'cls'


@pytest.mark.parametrize(
  ('options', 'family', 'says'),
  [
    (FROM_PAD, 'bert', 'from_pad=True cannot be written as .bert.'),
    (FROM_PAD | dict(pad=2, types=0, buckets=32), 'mpnet', 'pad=2'),
    (dict(types=0, epsilon=1e-5), 'distilbert', 'epsilon=1e-05'),
    (dict(types=0), 'bert', 'types=0'),
    (dict(buckets=32), 'bert', 'buckets=32'),
  ],
)
def test_what_a_family_cannot_say_is_not_written(tmp_path, options, family, says):
  net = Bert((6,), vocabulary=30, width=8, depth=1, heads=2, rngs=nnx.Rngs(0), **options)
  refused(lambda: write_folder(tmp_path / 'out', net, family), says)
  assert not (tmp_path / 'out').exists()
