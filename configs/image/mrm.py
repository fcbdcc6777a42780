"""MRM. Zhou, Lian, Wang, Yu, ICLR 2023. arXiv:2301.13155, section 3.

Pixels weigh a tenth of what they weigh in the paper.
"""

from jssl.configs import common


def get_config():
  c = common.small_masked(data='digit_reports', patch=4, epochs=100)
  c.number = 13
  c.view = dict(name='scaled', names=('image', 'high'), mean=0.3, std=0.35)
  c.heads.decoder = dict(name='mae_decoder', width=48, depth=1, heads=4, dim=64)  # 8x8 of the high resolution
  c.heads.reporter = dict(name='reporter', vocabulary=21, length=17, width=48, depth=1, heads=4)
  c.terms.record = dict(
    name='record', weights=dict(image=0.1, text=1.0),
    masks=dict(image=dict(name='random_mask', ratio=0.5), text=dict(name='random_mask', ratio=0.5)),
    objectives=dict(image=dict(name='masked_mse'), text=dict(name='token_cross_entropy')),
  )
  c.claim = dict(
    metric='fewshot_top1_10shot', beats=('random_init', 'image_alone', 'report_alone'), margin=0.01, seeds=3,
    variants=dict(image_alone=('terms.record.weights.text=0.0',), report_alone=('terms.record.weights.image=0.0',)),
  )
  return c
