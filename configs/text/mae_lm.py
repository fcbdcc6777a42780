"""MAE-LM. Meng et al., ICLR 2024. arXiv:2302.02060, section 4: [MASK] never enters the encoder, and keeps no directions.

Not held so far: both encoders learn little but how frequent words are, and one direction, the mean of all states, holds nearly all.
Less that mean the states tell more of it, as centred_share shows.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.text(scale, batch_size=32, steps=400, vocabulary=512)
  c.number = 171
  c.parts = (
    'encoder without [MASK]: masked positions are excluded from attention, and the others keep their positions',
    '15 % of the tokens are masked; none is replaced by a random token or kept',
    "light decoder with full attention, which reads the encoder's states and, at masked positions, the embedding of [MASK]",
    'that decoder: one pre-norm block (official code: 4 post-norm layers), which is not used after training',
    'cross-entropy at masked positions, with output weights tied to the embeddings',
    'rank of the last states of real tokens on unmasked text: directions that hold 0.9 of the squared singular values',
    'masked language modelling with [MASK] in the encoder as the rival',
    dict(part='decoder that adds positions to all states; relative positions (official code)', out='open', why='at [MASK] alone; learned ones'),
    dict(part='rank in each layer, and with and without [MASK] in the input', out='open', why='the last layer on unmasked text alone'),
    dict(part='GLUE and SQuAD by fine-tuning', out='data', why='no package ships them; the rank alone'),
    dict(part='Wikipedia and books; 12 layers, 768 wide', out='scale', why='the King James Bible; three blocks, 64 wide, 400 steps'),
  )
  c.backbone.dropout, c.optimizer.learning_rate.peak = 0.0, 3e-3
  c.heads.decoder = dict(name='token_decoder', depth=1, heads=4, std=0.1)
  c.heads.lm = dict(name='lm_head')
  c.passes.mlm = dict(name='masked_lm', mask=dict(name='mask_tokens', ratio=0.15), decoder='decoder')
  c.losses.mlm = dict(name='token_cross_entropy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.metrics.accuracy = dict(name='token_accuracy', of=('mlm.logits', 'mlm.labels', 'mlm.valid'))
  c.evaluators = dict(rank=dict(name='token_rank'))
  plain = ('passes.mlm.decoder=None',)
  c.claim = dict(metric='rank_share', beats=('masked words',), margin=0.05, variants={'masked words': plain})
  return c
