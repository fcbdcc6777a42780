"""I-EDL. Deng, Chen, Yu, Liu, Heng, ICML 2023. arXiv:2303.02045, section 3.

The weight of the Fisher term, 0.005, is the official one for MNIST.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k_glyphs', batch_size=100, epochs=30, widths=(16, 32, 64, 64))
  c.number = 80
  c.kind = 'supervised'
  c.data.train = 1000
  c.view.views = 1
  c.heads.classifier = dict(name='linear', dim='data.label.size')
  kl = dict(name='linear', start=0.0, end=1.0, over='10 epochs')
  weaker = {**kl, 'end': 0.1}  # where EDL did best on validation; with 1 it had hardly begun to tell classes apart
  c.passes.views = dict(name='embed', heads=('classifier',))
  judged = dict(of=dict(logits='views.q', labels='batch.label'), over='views')
  c.losses.evidence = dict(name='i_edl', **judged, fisher_weight=0.005, kl_weight=kl)
  c.evaluators = dict(outside=dict(name='ood'))
  c.claim = dict(
    metric='outside_auroc_evidence', beats=('random_init', 'edl'), margin=0.01,
    also=(dict(metric='outside_top1', beats=('edl',), margin=-0.01),),
    variants=dict(edl=(f"losses.evidence={dict(name='edl', **judged, kl_weight=weaker)}",)),
  )  # fmt: skip
  return c
