-- Every statement of the store of the last release. Written by a test: see migrations/README.md.

DELETE FROM access_key WHERE name = '' AND expires_at IS NOT NULL AND expires_at < $1
;
DELETE FROM agent WHERE session_id IS NULL AND not_after < $1
;
DELETE FROM challenge WHERE expires_at <= $1
;
DELETE FROM challenge WHERE id = $1
             RETURNING id, purpose, connection_id, spki, nonce, source, created_at, expires_at
;
DELETE FROM component WHERE name = $1
;
DELETE FROM creation WHERE kind = $1 AND name = $2
;
DELETE FROM deployment WHERE id = $1
;
DELETE FROM deployment_event WHERE deployment_id = $1
;
DELETE FROM event WHERE sequence <= $1
;
DELETE FROM idempotency WHERE created_at < $1
;
DELETE FROM job WHERE status IN ('FINISHED', 'VOID') AND at < $1
;
DELETE FROM outbox WHERE topic = $1 AND key = $2 AND version = $3
;
DELETE FROM policy_lane WHERE registry = $1 AND region = $2 AND repository = $3
;
DELETE FROM replay WHERE expires_at < $1
;
DELETE FROM repository WHERE provider = $1 AND name = $2
;
DELETE FROM service WHERE name = $1 RETURNING status
;
DELETE FROM sync_blocker WHERE service = $1
;
DELETE FROM sync_config WHERE kind = $1 AND name = $2
;
DELETE FROM tag WHERE resource = $1
;
DELETE FROM tag WHERE resource = $1 AND key = $2
;
DELETE FROM target WHERE id = $1 RETURNING kind, environment, service, instance, status
;
DELETE FROM template WHERE kind = $1 AND name = $2 RETURNING versions
;
DELETE FROM template_version WHERE kind = $1 AND name = $2 AND major = $3 AND minor = $4
;
DELETE FROM token WHERE expires_at IS NOT NULL AND expires_at < $1
;
DELETE FROM upload WHERE job = $1
;
INSERT INTO access_key (id, name, principal, account, role, secret, key_version, session, created_at, expires_at,
                                 last_used_at, disabled)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
;
INSERT INTO agent (id, connection_id, account, region, principal, key_fingerprint, serial, not_after, epoch,
                            version, session_id, enrolled_at, last_seen, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, $11, $12, $13)
;
INSERT INTO audit (sequence, at, principal, account, action, object, outcome, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
;
INSERT INTO blob (digest, bytes, created_at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING
;
INSERT INTO challenge (id, purpose, connection_id, spki, nonce, source, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
;
INSERT INTO component (name, service, instance, service_spec, manifest, template_file, modified_at, generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
;
INSERT INTO connection (id, kind, environment, account, region, status, epoch, state, pinned_role_id, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
;
INSERT INTO creation (kind, name, hash) VALUES ($1, $2, $3)
         ON CONFLICT (kind, name) DO UPDATE SET hash = excluded.hash
;
INSERT INTO deployment (id, target_id, kind, environment, service, instance, active, state, status, message,
             ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn,
             never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt,
             requested_by, created_at, ended_at, last_event, initial_state, target_state, target_created_at,
             attempted_before, succeeded_before, generation, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40)
;
INSERT INTO deployment_event (deployment_id, sequence, at, source, message, external_id, event)
                 VALUES ($1, $2, $3, 'stack', $4, $5, $6)
                 ON CONFLICT DO NOTHING
;
INSERT INTO deployment_event (deployment_id, sequence, at, source, message, external_id, event)
         VALUES ($1, $2, $3, $4, $5, NULL, NULL)
;
INSERT INTO event (sequence, id, at, resource, account, region, detail_type, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
;
INSERT INTO event_sink (name, told, again, attempts, due_at, job, last_error)
         VALUES ($1, $2, '[]', 0, $3, NULL, '') ON CONFLICT (name) DO NOTHING
;
INSERT INTO idempotency (principal, request_id, operation, request_hash, response, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
;
INSERT INTO job (id, account, region, connection_id, deployment_id, kind, label, payload, status, at, holder,
                          started, fence, attempts, losses, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
;
INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING
;
INSERT INTO outbox (topic, key, version, due_at, attempts, last_error) VALUES ($1, $2, $3, $4, 0, '')
         ON CONFLICT (topic, key) DO UPDATE
             SET version = excluded.version, due_at = excluded.due_at, attempts = 0
;
INSERT INTO policy_lane (registry, region, repository, state, reasons, job_id, checked_at, changed_at, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (registry, region, repository) DO UPDATE SET state = excluded.state, reasons = excluded.reasons,
             job_id = excluded.job_id, checked_at = excluded.checked_at, changed_at = excluded.changed_at,
             changed = excluded.changed
;
INSERT INTO replay (signature, expires_at) VALUES ($1, $2) ON CONFLICT (signature) DO NOTHING
;
INSERT INTO repository (provider, name, connection_arn, encryption_key, created_at)
         VALUES ($1, $2, $3, $4, $5)
;
INSERT INTO schema_version (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)
;
INSERT INTO service (name, template_name, major, minor, description, spec, old_spec, status, message, doing,
             branch, repository, link, created_at, modified_at, generation, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
;
INSERT INTO setting (name, value, changed_by, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE
         SET value = excluded.value, changed_by = excluded.changed_by, changed_at = excluded.changed_at
;
INSERT INTO sync_blocker (id, service, instance, status, reason, contexts, created_at, resolved_at, resolved_reason)
         VALUES ($1, $2, $3, 'ACTIVE', $4, $5, $6, NULL, '')
;
INSERT INTO sync_config (kind, name, provider, repository, branch, path, created_at, modified_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
;
INSERT INTO tag (resource, key, value) VALUES ($1, $2, $3)
         ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value
;
INSERT INTO target (id, kind, environment, service, instance, account, region, connection_id, template_name,
             major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message,
             ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at,
             provisioning, roles, client_token, generation, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)
;
INSERT INTO template (kind, name, display_name, description, no_pipeline, customer_managed, encryption_key,
             versions, created_at, modified_at, generation, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
;
INSERT INTO template_version (kind, name, major, minor, description, compatible, digest, archive, warnings,
             created_at, modified_at, schema, components, source, job)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
;
INSERT INTO token (digest, name, principal, account, role, created_at, expires_at, disabled)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
;
INSERT INTO upload (job, digest, bytes, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (job) DO UPDATE
             SET digest = excluded.digest, bytes = excluded.bytes, created_at = excluded.created_at
;
SELECT (SELECT COUNT(*) FROM job WHERE status = $1) AS jobs,
                    (SELECT COUNT(*) FROM deployment WHERE active = 1) AS deployments
;
SELECT (SELECT COUNT(*) FROM template WHERE kind = 'environment') AS environment,
                    (SELECT COUNT(*) FROM template WHERE kind = 'service') AS service
;
SELECT COUNT(*) AS components FROM component
;
SELECT COUNT(*) AS every, CAST(COALESCE(SUM(CASE WHEN source = $2 THEN 1 ELSE 0 END), 0) AS BIGINT) AS own
             FROM challenge WHERE connection_id = $1 AND expires_at > $3
;
SELECT COUNT(*) AS found FROM event WHERE sequence > $1 AND sequence <= $2
;
SELECT COUNT(*) AS found FROM sync_blocker WHERE service = $1 AND instance = $2 AND status = 'ACTIVE'
;
SELECT COUNT(*) AS many FROM connection
             WHERE account = $1 AND kind = 'environment' AND status IN ('PENDING', 'CONNECTED')
;
SELECT COUNT(*) AS many FROM target WHERE kind = 'environment' AND kind <> 'instance'
;
SELECT COUNT(*) AS n FROM job WHERE holder = $1 AND status = 'LEASED'
;
SELECT COUNT(*) AS n FROM template
;
SELECT MIN(at) AS at FROM job WHERE account = $1 AND region = $2 AND status = 'READY'
               AND CAST($3 AS TEXT) LIKE '%,' || kind || ',%' AND connection_id IN (SELECT id FROM connection WHERE status = 'CONNECTED')
;
SELECT MIN(due_at) AS at FROM outbox
;
SELECT bytes FROM blob WHERE digest = $1
;
SELECT c.name, c.service, c.instance, c.service_spec, c.manifest, c.template_file, c.modified_at, c.generation FROM component c JOIN target t ON t.kind = 'component' AND t.instance = c.name
         WHERE c.name > $1 AND ($2 = '' OR t.environment = $2) AND ($3 = '' OR c.service = $3)
           AND ($4 = '' OR c.instance = $4)
         ORDER BY c.name LIMIT $5
;
SELECT c.name, c.service, c.instance, c.service_spec, c.manifest, c.template_file, c.modified_at, c.generation FROM component c WHERE c.name = $1 /*for-update*/
;
SELECT c.name, c.service, c.instance, c.service_spec, c.manifest, c.template_file, c.modified_at, c.generation FROM component c WHERE c.service = $1 AND c.service <> '' AND ($2 = '' OR c.instance = $2) ORDER BY c.instance, c.name LIMIT 1
;
SELECT count(*) AS number FROM service
;
SELECT deployment_id, sequence, at, source, message, external_id, event FROM deployment_event WHERE deployment_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
;
SELECT digest, bytes FROM upload WHERE job = $1
;
SELECT digest, name, principal, account, role, created_at, expires_at, disabled FROM token WHERE digest = $1
;
SELECT digest, name, principal, account, role, created_at, expires_at, disabled FROM token WHERE name <> '' ORDER BY name, created_at
;
SELECT expires_at FROM replay WHERE signature = $1
;
SELECT hash FROM creation WHERE kind = $1 AND name = $2
;
SELECT id FROM agent WHERE session_id IS NOT NULL AND last_seen < $1 LIMIT 1
;
SELECT id FROM job WHERE status = 'LEASED' AND at <= $1 ORDER BY at, id LIMIT $2
;
SELECT id, account, region, connection_id, deployment_id, kind, label, payload, status, at, holder, started, fence, attempts, losses, created_at FROM job
         WHERE account = $1 AND region = $2 AND status = 'READY' AND at <= $3 AND connection_id = $4
           AND CAST($6 AS TEXT) LIKE '%,' || kind || ',%'
         ORDER BY at, id LIMIT $5 /*skip-locked*/
;
SELECT id, account, region, connection_id, deployment_id, kind, label, payload, status, at, holder, started, fence, attempts, losses, created_at FROM job WHERE connection_id = $1 AND status = 'LEASED' /*for-update*/
;
SELECT id, account, region, connection_id, deployment_id, kind, label, payload, status, at, holder, started, fence, attempts, losses, created_at FROM job WHERE id = $1 /*for-update*/
;
SELECT id, connection_id, account, region, principal, key_fingerprint, serial, not_after, epoch, version, session_id, enrolled_at, last_seen FROM agent WHERE account = $1 AND region = $2
             ORDER BY CASE WHEN session_id IS NULL THEN 1 ELSE 0 END, last_seen DESC LIMIT 1
;
SELECT id, connection_id, account, region, principal, key_fingerprint, serial, not_after, epoch, version, session_id, enrolled_at, last_seen FROM agent WHERE id = $1
;
SELECT id, connection_id, account, region, principal, key_fingerprint, serial, not_after, epoch, version, session_id, enrolled_at, last_seen FROM agent WHERE id > $1 AND ($2 = '' OR account = $2) ORDER BY id LIMIT $3
;
SELECT id, kind, environment, account, region, status, epoch, state, pinned_role_id FROM connection
         WHERE kind = 'environment' AND status <> 'DELETED' AND id > $1
           AND ($2 = '' OR account = $2) AND ($3 = '' OR status IN ($3, $4, $5)) AND ($6 = '' OR environment = $6)
         ORDER BY id LIMIT $7
;
SELECT id, kind, environment, account, region, status, epoch, state, pinned_role_id FROM connection WHERE account = $1 AND environment = $2 AND region = $3
                 AND status IN ('PENDING', 'CONNECTED')
;
SELECT id, kind, environment, account, region, status, epoch, state, pinned_role_id FROM connection WHERE account = $1 AND region = $2 AND status <> 'DELETED' ORDER BY id
;
SELECT id, kind, environment, account, region, status, epoch, state, pinned_role_id FROM connection WHERE id = $1 /*for-update*/
;
SELECT id, kind, environment, account, region, status, epoch, state, pinned_role_id FROM connection WHERE kind = 'management' AND status = 'CONNECTED' ORDER BY id LIMIT 1
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (COALESCE(attempted_at, created_at), service, instance) < ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND COALESCE(attempted_at, created_at) <= $11 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY COALESCE(attempted_at, created_at) DESC, service DESC, instance DESC LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (COALESCE(attempted_at, created_at), service, instance) > ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND COALESCE(attempted_at, created_at) >= $11 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY COALESCE(attempted_at, created_at), service, instance LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (created_at, service, instance) < ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY created_at DESC, service DESC, instance DESC LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (created_at, service, instance) > ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY created_at, service, instance LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (environment, service, instance) < ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY environment DESC, service DESC, instance DESC LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (environment, service, instance) > ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY environment, service, instance LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (instance, service) < ($11, $12) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY instance DESC, service DESC LIMIT $13
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (instance, service) > ($11, $12) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY instance, service LIMIT $13
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (service, instance) < ($11, $12) AND service >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY service DESC, instance DESC LIMIT $13
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (service, instance) > ($11, $12) AND service || '' >= $1 AND service <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY service, instance LIMIT $13
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (status, service, instance) < ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY status DESC, service DESC, instance DESC LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (status, service, instance) > ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY status, service, instance LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (template_name, service, instance) < ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY template_name DESC, service DESC, instance DESC LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
              WHERE kind = 'instance' AND (template_name, service, instance) > ($11, $12, $13) AND service || '' >= $1 AND service || '' <= $2 AND ($3 = '' OR instance = $3) AND ($4 = '' OR environment = $4) AND ($5 = '' OR template_name = $5)
              AND ($6 = '' OR status = $6)
              AND COALESCE(attempted_at, created_at) + 0 > $7 AND COALESCE(attempted_at, created_at) + 0 < $8
              AND created_at + 0 > $9 AND created_at + 0 < $10
              ORDER BY template_name, service, instance LIMIT $14
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
         WHERE kind = $1
           AND (service > $2 OR (service = $2 AND (CASE WHEN kind = 'environment' THEN environment ELSE instance END) > $3))
           AND ($4 = '' OR service = $4) AND ($5 = '' OR environment = $5) AND ($6 = '' OR template_name = $6)
           AND ($7 = '' OR account = $7) AND ($8 = '' OR instance = $8)
         ORDER BY service, (CASE WHEN kind = 'environment' THEN environment ELSE instance END) LIMIT $9
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
         WHERE kind = 'environment' AND kind <> 'instance' AND service = '' AND instance = '' AND environment > $1
           AND ($2 = '' OR account = $2)
         ORDER BY environment LIMIT $3
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target
         WHERE template_name = $1 AND major = $2 AND kind = 'environment' AND environment > $3
           AND ($4 = '' OR account = $4)
         ORDER BY environment LIMIT $5
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target WHERE connection_id = $1 ORDER BY kind, environment LIMIT 1
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target WHERE environment = $1 AND kind <> 'environment' ORDER BY service, instance LIMIT 1
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target WHERE id = $1 /*for-update*/
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target WHERE kind = $1 AND service = $2 AND instance = $3
               AND ($1 <> 'environment' OR environment = $4) /*for-update*/
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target WHERE kind = 'instance' ORDER BY service, instance
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target WHERE kind = 'pipeline' ORDER BY service
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target WHERE service = $1 ORDER BY kind, instance /*for-update*/
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target WHERE service >= $1 AND service <= $2 ORDER BY service, kind, instance
;
SELECT id, kind, environment, service, instance, account, region, connection_id, template_name, major, minor, spec, description, stack_name, stack_arn, condemned, ever_succeeded, part, status, message, ways_out, warnings, outputs, resources, attempted_id, attempted_at, succeeded_id, succeeded_at, created_at, generation, provisioning, roles, client_token FROM target t
             WHERE (CASE WHEN t.kind = 'environment' THEN 1 ELSE 0 END) = CAST($1 AS BIGINT) AND t.template_name = $2
               AND ((t.major = $3 AND t.minor = $4)
                    OR EXISTS (SELECT 1 FROM deployment d
                               WHERE d.target_id = t.id AND d.active = 1 AND d.major = $3 AND d.minor = $4))
             ORDER BY t.service, t.environment, t.instance LIMIT 1
;
SELECT id, name, principal, account, role, secret, key_version, session, created_at, expires_at, last_used_at, disabled FROM access_key WHERE id = $1
;
SELECT id, name, principal, account, role, secret, key_version, session, created_at, expires_at, last_used_at, disabled FROM access_key WHERE name <> '' ORDER BY name, created_at, id
;
SELECT id, service, instance, status, reason, contexts, created_at, resolved_at, resolved_reason FROM sync_blocker WHERE id = $1 /*for-update*/
;
SELECT id, service, instance, status, reason, contexts, created_at, resolved_at, resolved_reason FROM sync_blocker WHERE service = $1 AND instance = $2 ORDER BY created_at DESC, id DESC LIMIT $3
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE 1 = 1 AND id < $1 AND ($2 = '' OR service = $2) AND ($3 = '' OR instance = $3)
              AND ($4 = '' OR environment = $4) AND ($5 = '' OR kind = $5) AND ($6 = '' OR account = $6)
              AND (CAST($7 AS BIGINT) = 0 OR active = 1)
              ORDER BY id DESC LIMIT $8
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE active = 1 AND id < $1 AND ($2 = '' OR service = $2) AND ($3 = '' OR instance = $3)
              AND ($4 = '' OR environment = $4) AND ($5 = '' OR kind = $5) AND ($6 = '' OR account = $6)
              AND (CAST($7 AS BIGINT) = 0 OR active = 1)
              ORDER BY id DESC LIMIT $8
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE active = 1 ORDER BY id
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE connection_id = $1 AND active = 1 ORDER BY id /*for-update*/
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE environment = $4 AND id < $1 AND ($2 = '' OR service = $2) AND ($3 = '' OR instance = $3)
              AND ($4 = '' OR environment = $4) AND ($5 = '' OR kind = $5) AND ($6 = '' OR account = $6)
              AND (CAST($7 AS BIGINT) = 0 OR active = 1)
              ORDER BY id DESC LIMIT $8
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE id = $1 /*for-update*/
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE kind = $5 AND instance = $3 AND id < $1 AND ($2 = '' OR service = $2) AND ($3 = '' OR instance = $3)
              AND ($4 = '' OR environment = $4) AND ($5 = '' OR kind = $5) AND ($6 = '' OR account = $6)
              AND (CAST($7 AS BIGINT) = 0 OR active = 1)
              ORDER BY id DESC LIMIT $8
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE service = $2 AND id < $1 AND ($2 = '' OR service = $2) AND ($3 = '' OR instance = $3)
              AND ($4 = '' OR environment = $4) AND ($5 = '' OR kind = $5) AND ($6 = '' OR account = $6)
              AND (CAST($7 AS BIGINT) = 0 OR active = 1)
              ORDER BY id DESC LIMIT $8
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE service = $2 AND instance = $3 AND id < $1 AND ($2 = '' OR service = $2) AND ($3 = '' OR instance = $3)
              AND ($4 = '' OR environment = $4) AND ($5 = '' OR kind = $5) AND ($6 = '' OR account = $6)
              AND (CAST($7 AS BIGINT) = 0 OR active = 1)
              ORDER BY id DESC LIMIT $8
;
SELECT id, target_id, kind, environment, service, instance, state, message, ways_out, account, region, connection_id, template_name, major, minor, spec, stack_name, stack_arn, never_succeeded, rendered, rendered_bytes, capabilities, resource_types, retain, changes, outputs, attempt, requested_by, created_at, ended_at, last_event, generation, initial_state, target_state, target_created_at, attempted_before, succeeded_before FROM deployment WHERE target_id = $1 AND active = 1
;
SELECT key, value FROM tag WHERE resource = $1 ORDER BY key
;
SELECT kind, name, display_name, description, no_pipeline, customer_managed, encryption_key, versions, created_at, modified_at, generation FROM template
         WHERE ($1 = '' OR kind = $1) AND (kind > $2 OR (kind = $2 AND name > $3))
         ORDER BY kind, name LIMIT $4
;
SELECT kind, name, display_name, description, no_pipeline, customer_managed, encryption_key, versions, created_at, modified_at, generation FROM template WHERE kind = $1 AND name = $2 /*for-update*/
;
SELECT kind, name, major, minor, description, compatible, digest, archive, warnings, created_at, modified_at, schema, components, source, job FROM template_version
         WHERE kind = $1 AND name = $2 AND (major > $3 OR (major = $3 AND minor > $4))
           AND (CAST($6 AS BIGINT) = 0 OR major = CAST($6 AS BIGINT))
         ORDER BY major, minor LIMIT $5
;
SELECT kind, name, major, minor, description, compatible, digest, archive, warnings, created_at, modified_at, schema, components, source, job FROM template_version WHERE job = $1
;
SELECT kind, name, major, minor, description, compatible, digest, archive, warnings, created_at, modified_at, schema, components, source, job FROM template_version WHERE kind = $1 AND name = $2 AND major = $3 AND minor = $4
;
SELECT kind, name, provider, repository, branch, path, created_at, modified_at FROM sync_config WHERE kind = $1 AND name = $2 /*for-update*/
;
SELECT kind, name, provider, repository, branch, path, created_at, modified_at FROM sync_config WHERE provider = $1 AND repository = $2 ORDER BY kind, name
;
SELECT name FROM service WHERE doing <> '"Nothing"' ORDER BY name
;
SELECT name, template_name, major, minor, description, spec, old_spec, status, message, doing, branch, repository, link, created_at, modified_at, generation FROM service WHERE name = $1 /*for-update*/
;
SELECT name, template_name, major, minor, description, spec, old_spec, status, message, doing, branch, repository, link, created_at, modified_at, generation FROM service WHERE name > $1 ORDER BY name LIMIT $2
;
SELECT name, told, again, attempts, due_at, job, last_error FROM event_sink WHERE name = $1 /*for-update*/
;
SELECT operation, request_hash, response FROM idempotency WHERE principal = $1 AND request_id = $2
;
SELECT provider, name, connection_arn, encryption_key, created_at FROM repository WHERE provider = $1 AND name = $2 /*for-update*/
;
SELECT provider, name, connection_arn, encryption_key, created_at FROM repository WHERE provider > $1 OR (provider = $1 AND name > $2)
         ORDER BY provider, name LIMIT $3
;
SELECT registry, region, repository, state, reasons, job_id, checked_at, changed_at FROM policy_lane ORDER BY registry, region, repository /*for-update*/
;
SELECT registry, region, repository, state, reasons, job_id, checked_at, changed_at FROM policy_lane WHERE job_id = $1 /*for-update*/
;
SELECT registry, region, repository, state, reasons, job_id, checked_at, changed_at FROM policy_lane WHERE registry = $1 AND region = $2 AND repository = $3 /*for-update*/
;
SELECT roles FROM target
             WHERE kind = 'environment' AND kind <> 'instance' AND service = '' AND instance = '' AND environment = $1
;
SELECT s.again AS again, (SELECT MAX(sequence) FROM event) AS latest, s.told AS told
             FROM event_sink s WHERE s.name = $1
;
SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1
;
SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1 OFFSET $1
;
SELECT sequence FROM event WHERE at < $1 ORDER BY sequence DESC LIMIT 1
;
SELECT sequence, id, at, resource, account, region, detail_type, detail FROM event WHERE sequence = $1
;
SELECT sequence, id, at, resource, account, region, detail_type, detail FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2
;
SELECT status FROM connection WHERE id = $1
;
SELECT status FROM service WHERE name = $1
;
SELECT status FROM target WHERE id = $1
;
SELECT template_name, major, minor, status, COUNT(*) AS found FROM target WHERE kind = $1
         GROUP BY template_name, major, minor, status ORDER BY template_name, major, minor, status
;
SELECT template_name, version / 1000000 AS major, version % 1000000 AS minor, status, COUNT(*) AS found
         FROM (SELECT s.template_name AS template_name, s.status AS status,
                      COALESCE((SELECT MIN(t.major * 1000000 + t.minor) FROM target t WHERE t.service = s.name),
                               s.major * 1000000 + s.minor) AS version
               FROM service s) each_one
         GROUP BY template_name, version, status ORDER BY template_name, version, status
;
SELECT topic, key, version, due_at, attempts, last_error FROM outbox WHERE due_at <= $1 ORDER BY due_at LIMIT $2
;
SELECT value FROM meta WHERE key = $1
;
SELECT value FROM setting WHERE name = $1
;
SELECT version, name, checksum FROM schema_version ORDER BY version
;
SELECT versions FROM template WHERE kind = $1 AND name = $2
;
UPDATE access_key SET disabled = 1 WHERE disabled = 0 AND (id = $1 OR (name = $1 AND name <> '')) RETURNING id
;
UPDATE access_key SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)
;
UPDATE agent SET last_seen = $2 WHERE session_id = $1
;
UPDATE agent SET principal = $2, key_fingerprint = $3, serial = $4, not_after = $5, changed = $6 WHERE id = $1
;
UPDATE agent SET session_id = $2, version = $3, last_seen = $4, changed = $5 WHERE id = $1
;
UPDATE agent SET session_id = NULL, changed = $2 WHERE session_id IS NOT NULL AND last_seen < $1
;
UPDATE agent SET session_id = NULL, last_seen = $2, changed = $3 WHERE session_id = $1
;
UPDATE component SET service = $3, instance = $4, service_spec = $5, template_file = $6, modified_at = $7,
                 generation = generation + 1
             WHERE name = $1 AND generation = $2
;
UPDATE connection SET status = $2, epoch = $3, state = $4, pinned_role_id = $5, changed = $6 WHERE id = $1
;
UPDATE deployment SET active = $3, state = $4, status = $5, message = $6, ways_out = $7, stack_arn = $8,
                 changes = $9, outputs = $10, attempt = $11, ended_at = $12, last_event = $13, stack_name = $14,
                 generation = generation + 1, changed = $15
             WHERE id = $1 AND generation = $2
;
UPDATE event_sink SET told = $2, again = $3, attempts = $4, due_at = $5, job = $6, last_error = $7 WHERE name = $1
;
UPDATE job SET status = $2, at = $3, holder = $4, started = $5, fence = $6, attempts = $7, losses = $8
         WHERE id = $1
;
UPDATE outbox SET due_at = $4, attempts = attempts + 1, last_error = $5
         WHERE topic = $1 AND key = $2 AND version = $3
;
UPDATE service SET major = $3, minor = $4, description = $5, spec = $6, old_spec = $7, status = $8,
                 message = $9, doing = $10, modified_at = $11, generation = generation + 1, changed = $12
             WHERE name = $1 AND generation = $2
;
UPDATE sync_blocker SET status = 'RESOLVED', resolved_at = $2, resolved_reason = $3 WHERE id = $1
;
UPDATE sync_config SET provider = $3, repository = $4, branch = $5, path = $6, modified_at = $7
         WHERE kind = $1 AND name = $2
;
UPDATE target SET connection_id = $3, major = $4, minor = $5, spec = $6, description = $7, stack_name = $8,
                 stack_arn = $9, condemned = $10, ever_succeeded = $11, part = $12, status = $13, message = $14,
                 ways_out = $15, warnings = $16, outputs = $17, resources = $18, attempted_id = $19, attempted_at = $20,
                 succeeded_id = $21, succeeded_at = $22, roles = $24, client_token = $25, generation = generation + 1,
                 changed = $23
             WHERE id = $1 AND generation = $2
;
UPDATE template SET display_name = $4, description = $5, versions = $6, modified_at = $7,
                 generation = generation + 1, changed = $8
             WHERE kind = $1 AND name = $2 AND generation = $3
;
UPDATE template_version SET description = $5, compatible = $6, digest = $7, archive = $8, schema = $9,
             components = $10, warnings = $11, modified_at = $12, job = $13
         WHERE kind = $1 AND name = $2 AND major = $3 AND minor = $4
;
UPDATE template_version SET modified_at = $5 WHERE kind = $1 AND name = $2 AND major = $3 AND minor = $4
;
UPDATE token SET disabled = 1 WHERE name = $1 AND name <> ''
;
