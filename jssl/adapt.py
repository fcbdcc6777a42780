"""Adapts a config to user data before it is built: tokenizer, colour augmentation, and duplicates of examples."""

import inspect
import logging
from collections.abc import Mapping
from typing import Any

from jssl.core.build import open_data
from jssl.errors import ConfigError
from jssl.options import lookup, signed
from jssl.tables import DATA

# A pretrained network -> its tokenizer.
TOKENIZERS = dict(minilm='minilm', masked_lm_start='starts', causal_lm_start='starts')
SAME = 'same'  # the column that identifies duplicates
# Colour augmentation as in SimCLR, so that images cannot be distinguished by their colours: Chen et al. 2020, arXiv:2002.05709, appendix A. Hue
# jitter and greyscale are stronger and applied to all images, since in data sets of some hundred images colours distinguish more of them.
COLOURS = dict(jitter=dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2), grey=0.5)


def adapt(config: Any) -> None:
  """Adapts a config for user data; a config for a built-in data set is not changed.

  Texts are tokenised by the tokenizer of a pretrained encoder, unless another is named. Views of colour images that change brightness and
  contrast also change saturation and hue, and convert some images to grey, unless the config specifies these. In-batch objectives that take
  `ids` get the column `same`, if the data have it, so that duplicates of an example are not its negatives, unless their `of` names other ids.

  Raises:
    ConfigError, DataError: if the data cannot be opened.
  """
  c = config.to_dict()
  spec = c.get('data')
  if c.get('experiment') or not isinstance(spec, Mapping) or not (spec.get('name') == 'memory' or (inner := source(spec))):
    return
  if lacks_colours(c.get('view') or {}) and (image := open_data(spec).spec.get('image')) and image.shape[-1] == 3:
    with config.ignore_type():
      config.view.update(COLOURS)
    logging.getLogger('jssl').warning('the pictures have colours, so views change these, too; set view.jitter and view.grey for others')
  if spec['name'] != 'memory':
    reads_texts = 'tokenizer' in inspect.signature(signed(DATA[inner['name']])).parameters
    if not reads_texts and not inner['name'].startswith('packed:'):
      return
    if reads_texts and inner is spec and 'tokenizer' not in spec and (made := tokenizer_of(c)):
      with config.ignore_type():
        config.data.tokenizer = spec['tokenizer'] = made
  if any('data' in phase for phase in c.get('phases') or ()) or SAME not in open_data(spec).spec:
    return
  for name, loss in c['losses'].items():
    if of := apart(loss):
      with config.ignore_type():
        config.losses[name].of = of


def lacks_colours(view: Mapping[str, Any]) -> bool:
  """Whether views change brightness without specifying colours, as for grey images."""
  jitter = view.get('jitter') or {}
  return view.get('name') == 'augment' and 'brightness' in jitter and not jitter.keys() & {'saturation', 'hue'} and 'grey' not in view


def source(spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
  """The user data that a config names, possibly within operators."""
  if DATA.place(spec.get('name')) is not None:
    return spec
  return source(spec['of']) if isinstance(spec.get('of'), Mapping) else None


def tokenizer_of(config: Mapping[str, Any]) -> str | None:
  """The tokenizer of the first pretrained text network of a config; None if there is none."""
  networks = [config.get('backbone') or {}, *(config.get('heads') or {}).values()]
  return next((TOKENIZERS[net['name']] for net in networks if net.get('name') in TOKENIZERS), None)


def apart(loss: Mapping[str, Any]) -> dict[str, str] | None:
  """The `of` of a loss with the duplicates column as its `ids`; None if its objective takes no ids, or is given others."""
  try:
    found = [inspect.signature(lookup('objectives', x['name'], 'losses')).parameters for x in (loss, loss.get('objective')) if x]
  except (ConfigError, KeyError, TypeError):  # reported when the config is built
    return None
  of = loss.get('of')
  if 'ids' in loss or not isinstance(of, str | tuple | list | Mapping):
    return None
  of = dict(of) if isinstance(of, Mapping) else dict(zip(found[0], (of,) if isinstance(of, str) else of, strict=False))
  takes = all('ids' in parameters and 'negative_ids' not in parameters for parameters in found)
  return {**of, 'ids': f'batch.{SAME}'} if takes and 'ids' not in of else None
