"""What rankings that share no weights are from, and how each differs from its paper; those of rows are in rows.py.

    paper, differences = PAPERS["zico"]

`nasbench-ws strategies NAME` prints this, without torch. Not here: what has no paper, such as counting parameters.
"""

from __future__ import annotations

OWN = (
    "weights are those that the suite trains the child from; of convolutions and the classifier they count, and batch "
    "norms go by the batch's own statistics"
)
BATCH = "one batch of 64 training images, drawn anew for each instance, as are the weights"
ZERO_COST = "Abdelfattah, Mehrotra, Dudziak, Lane, Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
UNSEEN = "measured against those of the table's seeds that it has not looked at, and charged for what it would train"

PAPERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "wann": (
        "Gaier, Ha, Weight Agnostic Neural Networks, NeurIPS 2019",
        (
            "published is one value for all weights (:shared, the mean over the paper's six values), which tells "
            "little here: all channels of a node are equal, and batch norms divide the value out, but for its sign",
            "so weights are drawn at random, once an instance, and a linear classifier (ridge regression, in closed "
            "form) is fitted to pooled features of 2,000 training images; the score is its accuracy on 1,000 "
            "validation images",
            "nothing is evolved: every child is scored, and of equal ones the one with fewer parameters is better",
        ),
    ),
    "predictor": (
        "Baker, Gupta, Raskar, Naik, Accelerating Neural Architecture Search using Performance Prediction, 2017",
        (
            "ridge regression on which operation an edge has, in place of features of networks and learning curves",
            "a child that was trained keeps half of its own observation",
            UNSEEN,
        ),
    ),
    "early-loss": (
        "Ru et al., Speedy Performance Estimation for Neural Architecture Search, NeurIPS 2021",
        ("the training loss at the end of an epoch, where the paper sums up losses of batches", UNSEEN),
    ),
    "grad_norm": (ZERO_COST, (OWN, BATCH)),
    "snip": (
        "Lee, Ajanthan, Torr, SNIP, ICLR 2019",
        (OWN, BATCH, "summed up over the weights of a child, as in Zero-Cost Proxies; SNIP prunes by it"),
    ),
    "grasp": (
        "Wang, Zhang, Grosse, GraSP, ICLR 2020",
        (OWN, BATCH, "summed up over the weights of a child, as in Zero-Cost Proxies; GraSP prunes by it"),
    ),
    "fisher": (
        "Turner, Crowley, O'Boyle, Storkey, Gray, BlockSwap, ICLR 2020",
        (OWN, BATCH, "at the outputs of convolutions, before batch norm"),
    ),
    "plain": (ZERO_COST, (OWN, BATCH)),
    "l2_norm": (ZERO_COST, (OWN,)),
    "synflow": (
        "Tanaka, Kunin, Yamins, Ganguli, Pruning Neural Networks without Any Data, NeurIPS 2020",
        ("one score of a child, as in Zero-Cost Proxies, in float64 and as its logarithm; batch norms are left out",),
    ),
    "jacov": ("Mellor, Turner, Storkey, Crowley, Neural Architecture Search without Training, 2020", (OWN, BATCH)),
    "epe_nas": (
        "Lopes, Alirezazadeh, Alexandre, EPE-NAS, ICANN 2021",
        (OWN, BATCH, "a class of which the batch has one image is left out"),
    ),
    "naswot": (
        "Mellor, Turner, Storkey, Crowley, Neural Architecture Search without Training, ICML 2021",
        (OWN, "one batch of 128 training images, drawn anew for each instance, as are the weights"),
    ),
    "zen": (
        "Lin et al., Zen-NAS, ICCV 2021",
        ("the features are those before pooling, of 16 images of noise; the mean over 32 repeats",),
    ),
    "zico": (
        "Li, Yang, Bhardwaj, Marculescu, ZiCo, ICLR 2023",
        (OWN, "two batches of 64 training images, drawn anew for each instance, as are the weights"),
    ),
    "az_nas": (
        "Lee, Ham, AZ-NAS, CVPR 2024",
        (OWN, BATCH, "a part is of cells, as the network around them has them; complexity are multiply-adds"),
    ),
}
