"""CLEAR. Wu, Wang, Gu, Khabsa, Sun, Ma 2020. arXiv:2012.15466, section 3: sentences are edited on the level of words.

The rates of the edits are those of section 4, from memory: no official code could be found. The encoder and its head of words begin from the
masked language model that jssl ships, which was not trained by contrast.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, steps=240, length=32)
  c.number = 25
  c.parts = (
    'two edits of a sentence: 5 spans deleted, each 5 % of the tokens; 30 % of the tokens replaced by synonyms',
    'adjacent deleted tokens become one token: [MASK] (paper: a token of its own)',
    "synonyms of Roget's thesaurus, of words that are one token (paper: a list of similar words)",
    'deletion of 70 % of the words and 5 swaps of spans of 5 %, as rows',
    'contrast of cosines with all other texts of the batch, temperature 0.1, both ways; [CLS]; two linear layers, not used after training',
    'masked language modelling beside, equal weight, 15 % of the tokens of the unedited sentence (paper: of the edited ones)',
    'rows of masked language modelling alone and of contrast of the unedited sentence with itself, under dropout',
    dict(part='of the 15 %, 10 % random words and 10 % kept', out='open', why='[MASK] alone'),
    dict(part='BookCorpus and Wikipedia; GLUE, SentEval', out='data', why='no package ships them; news and the Lee documents'),
    dict(part='RoBERTa-base, pre-trained from scratch', out='scale', why='two blocks, 96 wide, that continue; 240 steps of 32 at 3e-4'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.data = dict(name='synonyms', of=c.data.to_dict())
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1, pool='cls')
  c.view = dict(name='edited', edits=('delete_spans', 'substitute'), first='data.ids.first', pad='data.ids.pad', mask='data.ids.mask')
  widths = common.at(scale)(small=(96, 96), tiny=(16, 16))
  c.heads.projector = dict(name='mlp', widths=widths, norm='none')
  c.heads.lm = common.start(scale, 'masked_lm_head')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.passes.words = dict(name='masked_lm', mask=dict(name='mask_tokens'))
  c.losses.contrast = dict(name='nt_xent', of=('views.q', 'views.k'), pairs='all', temperature=0.1)
  c.losses.words = dict(name='token_cross_entropy', of=('words.logits', 'words.labels', 'words.valid'))
  edits = lambda *names: (f'view.edits={names}',)
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'masked words'), margin=0.02,
    also=(dict(metric='sts_spearman', beats=('dropout',), margin=0.005),),
    variants={
      'masked words': ('losses.contrast.weight=0.0',), 'dropout': edits('keep', 'keep'),
      'words': edits('delete_words', 'delete_words'), 'order': edits('reorder', 'reorder'),
    },
    without='masked words',
  )  # fmt: skip
  return c
