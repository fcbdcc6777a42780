"""DR.DECR. Li et al., NAACL 2022. arXiv:2112.08185, section 3: a retriever of another language learns from an English one.

In the first half of the run the network learns to find English verses by English queries; its copy is then the teacher.
"""

from jssl.configs import common


def get_config():
  c = common.base(data='king_james_cipher', batch_size=32, epochs=1)
  c.number = 115
  c.epochs, c.steps = None, 400
  c.backbone = dict(name='bert', vocabulary=2048, width=64, depth=1, heads=4, dropout=0.1, std=0.1)
  c.heads.projector = dict(name='linear', dim=32, bias=False)
  c.teacher = dict(name='periodic', every=200, networks=('backbone', 'projector'))
  c.optimizer.learning_rate = dict(name='constant', value=2e-3)
  before, after = (dict(name='switch', before=x, after=1.0 - x, at='50%') for x in (1.0, 0.0))
  c.terms.english = dict(name='late_contrast', objective=dict(name='softmax_cross_entropy'), weight=before)
  c.terms.cipher = dict(
    name='late_distilled', weight=after, weight_query=64.0, weight_passage=64.0,
    objectives=dict(relevance=dict(name='kl_logits'), query=dict(name='token_alignment'), passage=dict(name='latent_l2')),
  )  # fmt: skip
  c.evaluators = dict(verses=dict(name='late_retrieval'))
  labels = dict(name='late_contrast', objective=dict(name='softmax_cross_entropy'), query='asked', passage='known', weight=after)
  c.claim = dict(
    metric='verses_mrr', beats=('random_init', 'labels alone'), margin=0.05, seeds=3,
    variants={'labels alone': (f'terms.cipher={labels}',), 'relevance alone': ('terms.cipher.weight_query=0.0',)},
  )  # fmt: skip
  return c
