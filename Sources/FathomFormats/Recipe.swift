import FathomData
