"""Data: splits with random access, and the sources that make batches of them."""

from jssl.data.core.arrays import Columns, arrays, resident
from jssl.data.core.order import permutation, stratified
from jssl.data.core.sources import GrainSource, to_device
from jssl.data.vision.fashion import fashion_mnist
from jssl.data.vision.images import digits, mnist5k, tfds
from jssl.errors import DataError
