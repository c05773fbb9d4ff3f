"""Measurements: the expensive maps over sampling units, one file each, shared by the metrics that reduce them.

Catalogue:
    predictions            logits of a clean image set
    corrupted_predictions  errors on corrupted test images
    adversarial            predictions on FGSM-perturbed test images
    pgd_attack             predictions on test images after projected gradient descent
    auto_attack            predictions on test images after AutoAttack
    explanations           LIME fits: fidelity and stability per image
    weight_curvature       v'Hv of the loss in the surviving weights, per micro-batch
    input_curvature        trace and top eigenvalue of the loss in each image
    concept_overlap        dissection of a layer: overlap of its units with concepts in each probe image
"""
