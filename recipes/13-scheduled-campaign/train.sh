#!/bin/bash
#SBATCH --job-name=bytepol-campaign
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=24:00:00
set -euo pipefail
python step.py campaign.yaml train --device cuda
