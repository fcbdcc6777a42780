"""How a run tells how far it has come."""

import sys

from jssl.progress import Bar


def test_a_file_is_given_plain_lines_with_forced_colours_too(monkeypatch, tmp_path):
  monkeypatch.setenv('FORCE_COLOR', '1')
  with (tmp_path / 'said').open('w') as said:
    monkeypatch.setattr(sys, 'stderr', said)
    with Bar(10, 0, examples=4) as bar:
      for step in range(1, 11):
        bar.show(step, 0.5)
  text = (tmp_path / 'said').read_text()
  assert '\x1b[?25l' not in text and '\x1b[2K' not in text  # no cursor is hidden, and no line taken back
  assert text.count('\n') == 10 and 'step 10/10  loss 0.5000' in text
