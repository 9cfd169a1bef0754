"""The data doctor: what is wrong with a folder of pictures and masks, and what mends it.

`survey` finds the files and pairs them, `records` looks into them, the other modules judge, `report` and `sheet` show.
"""
