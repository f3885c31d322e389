# The main job, done with the AWS CLI alone: three accounts, each by its profile. Run by the test `story`, which sources the
# file that `./deploy/demo.sh --keep` leaves; EMULATOR, EXAMPLES and SCRATCH come from the test.
set -euo pipefail
cd "$SCRATCH"

if command -v hadron >/dev/null; then echo "hadron is on the PATH: this story has to do without" >&2; exit 1; fi
say() { printf '\n== %s\n' "$*"; }
proton() { printf '$ aws proton %s\n' "$*" >&2; aws proton "$@"; }
is() { [ "$1" = "$2" ] || { printf 'expected %s, got %s\n' "$2" "$1" >&2; exit 1; }; }
# The bucket belongs to the management account. Its root is known to the emulated AWS by the account's number.
s3() { AWS_ACCESS_KEY_ID=111111111111 AWS_SECRET_ACCESS_KEY=root aws --endpoint-url "$EMULATOR" s3api "$@"; }
role() { echo "arn:aws:iam::$1:role/hadron-provisioning"; }

say "An administrator registers templates from S3"
s3 create-bucket --bucket bundles > bucket.json
for bundle in minimal-env minimal-svc; do
  tar -C "$EXAMPLES/$bundle/v1" --exclude .template-registration.yaml -czf "$bundle.tar.gz" .
  s3 put-object --bucket bundles --key "$bundle.tar.gz" --body "$bundle.tar.gz" > object.json
done
proton create-environment-template --name minimal-env --display-name "Minimal" > template.json
proton create-environment-template-version --template-name minimal-env --source 's3={bucket=bundles,key=minimal-env.tar.gz}' > version.json
proton wait environment-template-version-registered --template-name minimal-env --major-version 1 --minor-version 0
proton update-environment-template-version --template-name minimal-env --major-version 1 --minor-version 0 --status PUBLISHED > version.json
proton create-service-template --name minimal-svc > template.json
proton create-service-template-version --template-name minimal-svc --source 's3={bucket=bundles,key=minimal-svc.tar.gz}' \
  --compatible-environment-templates templateName=minimal-env,majorVersion=1 > version.json
proton wait service-template-version-registered --template-name minimal-svc --major-version 1 --minor-version 0
proton update-service-template-version --template-name minimal-svc --major-version 1 --minor-version 0 --status PUBLISHED > version.json
is "$(proton get-service-template --name minimal-svc --query serviceTemplate.recommendedVersion --output text)" 1.0

say "Two accounts ask to be connected"
for profile in dev prod; do
  account=222222222222; [ "$profile" = dev ] || account=333333333333
  proton create-environment-account-connection --profile "$profile" --environment-name "$profile" \
    --management-account-id 111111111111 --role-arn "$(role $account)" > connection.json
done
is "$(proton list-environment-account-connections --profile prod --requested-by ENVIRONMENT_ACCOUNT \
  --query 'environmentAccountConnections[].environmentAccountId' --output text)" 333333333333

say "The management account accepts"
for profile in dev prod; do
  id=$(proton list-environment-account-connections --profile management --requested-by MANAGEMENT_ACCOUNT \
    --environment-name "$profile" --statuses PENDING --query 'environmentAccountConnections[0].id' --output text)
  is "$(proton accept-environment-account-connection --profile management --id "$id" \
    --query environmentAccountConnection.status --output text)" CONNECTED
  printf 'proton: EnvironmentSpec\nspec:\n  greeting: "Hello %s"\n' "$profile" > "$profile.yaml"
  proton create-environment --profile management --name "$profile" --template-name minimal-env --template-major-version 1 \
    --environment-account-connection-id "$id" --spec "file://$profile.yaml" > environment.json
done
for name in dev prod; do proton wait environment-deployed --name "$name"; done
is "$(proton get-environment --name prod --query environment.environmentAccountId --output text)" 333333333333

say "A service with a pipeline, in both"
cat > shop.yaml <<'SPEC'
proton: ServiceSpec
pipeline:
  images_kept: 7
instances:
  - name: front-dev
    environment: dev
    spec: {port: 8080}
  - name: front-prod
    environment: prod
    spec: {port: 80}
SPEC
proton create-service --profile developer --name shop --template-name minimal-svc --template-major-version 1 --spec file://shop.yaml \
  --branch-name main --repository-id example/shop \
  --repository-connection-arn arn:aws:codeconnections:us-east-1:111111111111:connection/0b7a3c1e-6a55-4e0f-9a53-0c8f4f5a1d11 > service.json
proton wait service-created --name shop
proton wait service-pipeline-deployed --name shop
is "$(proton list-service-pipeline-outputs --service-name shop --query "outputs[?key=='DeploysTo'].valueString" --output text)" \
  front-dev@222222222222,front-prod@333333333333

say "An update of one instance"
proton get-service --name shop --query service.spec --output text | sed 's/port: 80$/port: 443/' > shop.yaml
proton update-service-instance --profile developer --service-name shop --name front-prod --deployment-type CURRENT_VERSION \
  --spec file://shop.yaml > instance.json
proton wait service-instance-deployed --service-name shop --name front-prod
outputs() { proton list-service-instance-outputs --service-name shop --service-instance-name "$1" --query "outputs[?key=='Endpoint'].valueString" --output text; }
is "$(outputs front-prod)" front-prod.shop.prod:443
is "$(outputs front-dev)" front-dev.shop.dev:8080

say "Everything is taken away again"
proton delete-service --profile developer --name shop > service.json
proton wait service-deleted --name shop
for name in dev prod; do
  proton delete-environment --name "$name" > environment.json
  while proton get-environment --name "$name" > environment.json 2> error.txt; do sleep 0.2; done
  grep -q ResourceNotFoundException error.txt
  id=$(proton list-environment-account-connections --profile "$name" --requested-by ENVIRONMENT_ACCOUNT \
    --statuses CONNECTED --query 'environmentAccountConnections[0].id' --output text)
  proton delete-environment-account-connection --profile "$name" --id "$id" > connection.json
done
is "$(proton list-services --query 'length(services)')" 0
is "$(proton list-environments --query 'length(environments)')" 0
say "Done"
