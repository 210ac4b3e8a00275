"""Makes digits.idx.gz from scikit-learn's copy of the UCI test set: python3 digits.py <scikit_learn wheel> digits.idx.gz

The result is an IDX array of 1797×8×8 bytes followed by one of 1797 bytes (the labels), gzipped without name and time, so that the
same wheel gives the same bytes.
"""

import gzip
import struct
import sys
import zipfile

wheel, output = sys.argv[1:]
table = gzip.decompress(zipfile.ZipFile(wheel).read("sklearn/datasets/data/digits.csv.gz")).decode()
rows = [[int(cell) for cell in line.split(",")] for line in table.split()]
assert len(rows) == 1797 and all(len(row) == 65 and max(row[:64]) <= 16 and row[64] <= 9 for row in rows)

images = struct.pack(">4B3I", 0, 0, 8, 3, len(rows), 8, 8) + bytes(value for row in rows for value in row[:64])
labels = struct.pack(">4BI", 0, 0, 8, 1, len(rows)) + bytes(row[64] for row in rows)
with open(output, "wb") as file:
    file.write(gzip.compress(images + labels, 9, mtime=0))
