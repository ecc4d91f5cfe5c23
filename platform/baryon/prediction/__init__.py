"""Predict new samples with a trained model.

Dataset and model are built alone, so that a finished run can be asked although its loss or its
evaluator has other options today. The evaluator's name is still needed: it names the predictor.
"""
