"""SetFit, for legal provisions. Kilic, Bex, Gatt, ASAIL 2023. arXiv:2307.02882; Tunstall et al., arXiv:2209.11055, section 3.

The second stage, a linear map on the frozen embeddings, is the linear probe; start is the encoder as it was.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, data='few_reviews', steps=36, depth=6)
  c.number = 139
  c.parts = (
    'each text is paired with 8 texts of its class and 8 of others, drawn in every batch (SetFit: 20 of each, drawn once)',
    'first stage: squared error between the cosine of a pair and 1 or 0; the whole encoder is trained, at 1e-4 (SetFit: 2e-5, one epoch)',
    'second stage: logistic regression on the frozen embeddings',
    'fine-tuning by cross-entropy with a linear head as the rival, judged by the same logistic regression (paper: by its own head)',
    '50 labelled texts of each class',
    dict(part='samples in which classes are unequal', out='open', why='equal classes'),
    dict(part='the rival with all labels, against SetFit with a share of them', out='open', why='the same labels for both'),
    dict(part='LIME: which words decide, with each objective', out='open', why='not implemented'),
    dict(part='LEDGAR: legal provisions; encoders of legal text', out='data', why='no package ships them; film reviews'),
  )
  c.data.shots = 50
  c.view = dict(name='columns', names=('ids',))
  c.heads.classifier = dict(name='linear', dim='data.label.size')  # of the comparison
  c.passes.text = dict(name='embed')
  c.passes.partners = dict(name='partners', on='whole.text.q[0]', pairs=8)
  c.losses.pairs = dict(
    name='cosine_regression', of=dict(q='text.q[0]', k='partners.k', labels='partners.same', weights='partners.weight'), over='views'
  )
  c.optimizer.learning_rate.peak = 1e-4
  c.evaluators = dict(linear=dict(name='logistic'))
  c.claim = dict(
    metric='linear_top1', beats=('start', 'classes'), margin=0.02,
    variants={
      'classes': (
        "passes.text.heads=('classifier',)",
        "losses.pairs={'name': 'cross_entropy', 'of': {'logits': 'text.q[0]', 'labels': 'batch.label'}}",
      ),
    },
  )  # fmt: skip
  return c
