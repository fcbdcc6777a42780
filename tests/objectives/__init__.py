from jssl import tables

# Those that take other objectives have tests of their own.
OBJECTIVES = {name: tables.OBJECTIVES[name] for name in tables.OBJECTIVES if name not in ('matryoshka', 'matryoshka_2d', 'missing_mmd')}
