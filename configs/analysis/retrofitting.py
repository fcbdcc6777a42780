"""Retrofitting. Faruqui, Dodge, Jauhar, Dyer, Hovy, Smith, NAACL 2015. arXiv:1411.4166, section 2.

Vectors by counting contexts, at their own length (official code: scaled to unit length first). Roget's thesaurus stands for the paper's
WordNet and PPDB: entries side by side under a heading are synonyms, while a whole heading only gathers a topic.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='counted_words', batch_size=64, epochs=1)
  c.number = 266
  c.parts = (
    'update of each vector to the mean of its neighbours and its own start, alpha 1 and beta 1 / degree, 10 rounds',
    'words without an edge stay as they are',
    'a graph of the same degrees as the control',
    'rank correlation of cosines with human judgements of pairs of words (SimLex-999; paper: others, among them WordSim-353)',
    dict(part='synonyms of TOEFL, syntactic relations, sentiment of sentences; other languages', out='open', why='similarity of words alone'),
    dict(part='WordNet, PPDB and FrameNet as lexicons', out='data', why="no package ships them; Roget's thesaurus is one"),
    dict(part='skip-gram, GloVe and other vectors', out='data', why='vectors of counted contexts here'),
    dict(part='the lexicon as a prior during training', out='open', why='a rival of the paper that is not built'),
  )
  c.steps, c.kind = 0, 'analysis'
  c.backbone = dict(name='flat')
  c.evaluators = dict(words=dict(name='retrofitted', transform=dict(name='retrofit')))
  c.claim = dict(
    metric='words_simlex', beats=('plain', 'rewired'), margin=0.02, seeds='items', without='plain',
    manipulation=dict(metric='words_edges', beats=('plain',), margin=0.05),
    variants=dict(
      plain=('evaluators.words.transform=None',),
      rewired=('evaluators.words.transform.name=retrofit_random',),
    ),
  )  # fmt: skip
  return c
