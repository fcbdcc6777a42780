"""Data: splits with random access, and the sources that make batches of them."""

from jssl.data.arrays import Columns, arrays, resident
from jssl.data.images import digits, mnist5k, tfds
from jssl.data.order import permutation, stratified
from jssl.data.records import DataError
from jssl.data.sources import GrainSource, to_device

__all__ = [
  'Columns',
  'DataError',
  'GrainSource',
  'arrays',
  'digits',
  'mnist5k',
  'permutation',
  'resident',
  'stratified',
  'tfds',
  'to_device',
]
