"""I-EDL. Deng, Chen, Yu, Liu, Heng, ICML 2023. arXiv:2303.02045, section 3.

The weight of the Fisher term, 0.005, is the official one for MNIST.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.image(scale, data='mnist5k_glyphs', batch_size=100, epochs=30, widths=(16, 32, 64, 64))
  c.number = 80
  c.parts = (
    'expected squared error and variance of a Dirichlet distribution, each class weighted by the trigamma of its concentration',
    'minus log determinant of its Fisher information, weight 0.005, the official one for MNIST',
    'divergence from the uniform Dirichlet without the true class, weight rising to 1 in 10 epochs',
    'concentrations softplus + 1; their sum and the largest probability as confidence',
    'EDL as the rival, with softplus and a weight of the divergence up to 0.1 (official code: 1), tuned on validation data',
    'detection of letters among digits, and of mistakes, by the area under the ROC (paper: under the precision-recall curve)',
    dict(part='differential entropy and mutual information as scores; noisy inputs', out='open', why='two scores are measured'),
    dict(part='few-shot classification on frozen features; prior and posterior networks, dropout as rivals', out='open', why='not run'),
    dict(part='FMNIST, KMNIST, CIFAR-10 and 100, SVHN, mini-ImageNet, CUB', out='data', why='no package ships them; letters of two alphabets'),
    dict(part='all of MNIST, VGG-16, 200 epochs with early stopping', out='scale', why='1,000 digits, a convnet, 30 epochs'),
  )
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
