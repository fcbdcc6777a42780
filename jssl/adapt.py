"""What a config takes on from data of a user's own before it is built: tokenizer, changes of colour, and which examples are copies."""

import inspect
import logging
from collections.abc import Mapping
from typing import Any

from jssl.core.build import open_data
from jssl.errors import ConfigError
from jssl.options import lookup, signed
from jssl.storage import near, reach
from jssl.tables import DATA

# A pretrained network -> the tokenizer whose ids it knows.
TOKENIZERS = dict(minilm='minilm', masked_lm_start='starts', causal_lm_start='starts')
FOLDERS = ('from_folder', 'bert_from')  # networks whose folder may have one
SAME = 'same'  # the column that numbers what is alike
# Changes of colour as SimCLR has them, so that pictures cannot be distinguished by their colours: Chen et al. 2020, arXiv:2002.05709, appendix
# A. Of hue and of grey pictures there is more, and all pictures are changed: in sets of some hundred pictures colours tell more of them apart.
COLOURS = dict(jitter=dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2), grey=0.5)


def adapt(config: Any) -> None:
  """Changes a config on data of a user's own; one on a data set stays as it is.

  Texts go through the tokenizer of a pretrained encoder, unless another is named. Views of pictures in colour that change brightness and
  contrast change saturation and hue, too, and drop the colours of some, unless the config says something of these. In-batch objectives that
  take `ids` are given the column `same`, where the data have it, so that copies of an example are not its negatives, unless their `of` names
  other ids.

  Raises:
    ConfigError, DataError: the data cannot be opened.
  """
  c = config.to_dict()
  spec = c.get('data')
  if c.get('experiment') or not isinstance(spec, Mapping) or not (spec.get('name') == 'memory' or (inner := source(spec))):
    return
  if lacks_colours(c.get('view') or {}) and (image := open_data(spec).spec.get('image')) and image.shape[-1] == 3:
    with config.ignore_type():
      config.view.update(COLOURS)
    logging.getLogger('jssl').warning('the images are in colour, so views also change colours; set view.jitter and view.grey to control this')
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
  """Whether views change brightness and say nothing of colours, as those of grey pictures do."""
  jitter = view.get('jitter') or {}
  return view.get('name') == 'augment' and 'brightness' in jitter and not jitter.keys() & {'saturation', 'hue'} and 'grey' not in view


def source(spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
  """The data of a user's own that a config names, perhaps within operators."""
  if DATA.place(spec.get('name')) is not None:
    return spec
  return source(spec['of']) if isinstance(spec.get('of'), Mapping) else None


def tokenizer_of(config: Mapping[str, Any]) -> str | None:
  """The tokenizer of the first pretrained network of a config that reads texts; None where there is none."""
  for net in (config.get('backbone') or {}, *(config.get('heads') or {}).values()):
    if net.get('name') in TOKENIZERS:
      return TOKENIZERS[net['name']]
    if net.get('name') in FOLDERS and net.get('folder') and (path := near(reach(net['folder'])) / 'tokenizer.json').is_file():
      return str(path.absolute())
  return None


def apart(loss: Mapping[str, Any]) -> dict[str, str] | None:
  """The `of` of a loss with the column of copies as its `ids`; None where its objective takes none, or is given others."""
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
