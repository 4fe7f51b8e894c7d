-- A database as the first release made it: every table by migration 1, and a few rows of a site in use.
PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE "directus_access" (
  "id" UUID_TEXT NOT NULL PRIMARY KEY,
  "role" UUID_TEXT,
  "user" UUID_TEXT,
  "policy" UUID_TEXT NOT NULL,
  "sort" INTEGER,
  FOREIGN KEY ("role") REFERENCES "directus_roles" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  FOREIGN KEY ("user") REFERENCES "directus_users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  FOREIGN KEY ("policy") REFERENCES "directus_policies" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
INSERT INTO "directus_access" VALUES('5d1c4a46-ac9c-4300-970f-4f17abf8a154',NULL,NULL,'abf8a154-5b1c-4a46-ac9c-7300570f4f17',1);
CREATE TABLE "directus_activity" (
  "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  "action" VARCHAR(45) NOT NULL,
  "user" UUID_TEXT,
  "timestamp" TIMESTAMP_TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  "ip" VARCHAR(50),
  "user_agent" TEXT,
  "collection" VARCHAR(64) NOT NULL,
  "item" VARCHAR(255) NOT NULL,
  "origin" VARCHAR(255)
);
CREATE TABLE "directus_collections" (
  "collection" VARCHAR(64) NOT NULL PRIMARY KEY,
  "icon" VARCHAR(64),
  "note" TEXT,
  "display_template" VARCHAR(255),
  "hidden" BOOLEAN NOT NULL DEFAULT 0,
  "singleton" BOOLEAN NOT NULL DEFAULT 0,
  "translations" JSON_TEXT,
  "archive_field" VARCHAR(64),
  "archive_app_filter" BOOLEAN NOT NULL DEFAULT 1,
  "archive_value" VARCHAR(255),
  "unarchive_value" VARCHAR(255),
  "sort_field" VARCHAR(64),
  "accountability" VARCHAR(255) DEFAULT 'all',
  "color" VARCHAR(255),
  "item_duplication_fields" JSON_TEXT,
  "sort" INTEGER,
  "group" VARCHAR(64),
  "collapse" VARCHAR(255) NOT NULL DEFAULT 'open',
  "preview_url" VARCHAR(255),
  "versioning" BOOLEAN NOT NULL DEFAULT 0,
  "status" VARCHAR(255) NOT NULL DEFAULT 'active',
  "autosave_revision_interval" REAL,
  "tainted" BOOLEAN NOT NULL DEFAULT 0
);
CREATE TABLE "directus_fields" (
  "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  "collection" VARCHAR(64) NOT NULL,
  "field" VARCHAR(64) NOT NULL,
  "special" TEXT,
  "interface" VARCHAR(64),
  "options" JSON_TEXT,
  "display" VARCHAR(64),
  "display_options" JSON_TEXT,
  "readonly" BOOLEAN NOT NULL DEFAULT 0,
  "hidden" BOOLEAN NOT NULL DEFAULT 0,
  "sort" INTEGER,
  "width" VARCHAR(30) DEFAULT 'full',
  "translations" JSON_TEXT,
  "note" TEXT,
  "conditions" JSON_TEXT,
  "required" BOOLEAN NOT NULL DEFAULT 0,
  "group" VARCHAR(64),
  "validation" JSON_TEXT,
  "validation_message" TEXT,
  "searchable" BOOLEAN NOT NULL DEFAULT 1
);
CREATE TABLE "directus_files" (
  "id" UUID_TEXT NOT NULL PRIMARY KEY,
  "storage" VARCHAR(255) NOT NULL,
  "filename_disk" VARCHAR(255),
  "filename_download" VARCHAR(255) NOT NULL,
  "title" VARCHAR(255),
  "type" VARCHAR(255),
  "folder" UUID_TEXT,
  "uploaded_by" UUID_TEXT,
  "created_on" TIMESTAMP_TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  "modified_by" UUID_TEXT,
  "modified_on" TIMESTAMP_TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  "charset" VARCHAR(50),
  "filesize" BIGINT,
  "width" INTEGER,
  "height" INTEGER,
  "duration" INTEGER,
  "embed" VARCHAR(200),
  "description" TEXT,
  "location" TEXT,
  "tags" JSON_TEXT,
  "metadata" JSON_TEXT,
  "focal_point_x" INTEGER,
  "focal_point_y" INTEGER,
  "tus_id" VARCHAR(64),
  "tus_data" JSON_TEXT,
  "uploaded_on" TIMESTAMP_TEXT,
  FOREIGN KEY ("folder") REFERENCES "directus_folders" ("id") ON UPDATE NO ACTION ON DELETE SET NULL,
  FOREIGN KEY ("uploaded_by") REFERENCES "directus_users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL,
  FOREIGN KEY ("modified_by") REFERENCES "directus_users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL
);
CREATE TABLE "directus_folders" (
  "id" UUID_TEXT NOT NULL PRIMARY KEY,
  "name" VARCHAR(255) NOT NULL,
  "parent" UUID_TEXT,
  "type" VARCHAR(255) NOT NULL DEFAULT 'files',
  FOREIGN KEY ("parent") REFERENCES "directus_folders" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
CREATE TABLE "directus_permissions" (
  "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  "collection" VARCHAR(64) NOT NULL,
  "action" VARCHAR(10) NOT NULL,
  "permissions" JSON_TEXT,
  "validation" JSON_TEXT,
  "presets" JSON_TEXT,
  "fields" TEXT,
  "policy" UUID_TEXT NOT NULL,
  FOREIGN KEY ("policy") REFERENCES "directus_policies" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
CREATE TABLE "directus_policies" (
  "id" UUID_TEXT NOT NULL PRIMARY KEY,
  "name" VARCHAR(100) NOT NULL,
  "icon" VARCHAR(64) NOT NULL DEFAULT 'badge',
  "description" TEXT,
  "ip_access" TEXT,
  "enforce_tfa" BOOLEAN NOT NULL DEFAULT 0,
  "admin_access" BOOLEAN NOT NULL DEFAULT 0,
  "app_access" BOOLEAN NOT NULL DEFAULT 0
);
INSERT INTO "directus_policies" VALUES('abf8a154-5b1c-4a46-ac9c-7300570f4f17','$t:public_label','public','$t:public_description',NULL,0,0,0);
CREATE TABLE "directus_presets" (
  "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  "bookmark" VARCHAR(255),
  "user" UUID_TEXT,
  "role" UUID_TEXT,
  "collection" VARCHAR(64),
  "search" VARCHAR(100),
  "layout" VARCHAR(100) DEFAULT 'tabular',
  "layout_query" JSON_TEXT,
  "layout_options" JSON_TEXT,
  "refresh_interval" INTEGER,
  "filter" JSON_TEXT,
  "icon" VARCHAR(64) DEFAULT 'bookmark',
  "color" VARCHAR(255),
  FOREIGN KEY ("user") REFERENCES "directus_users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  FOREIGN KEY ("role") REFERENCES "directus_roles" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
CREATE TABLE "directus_relations" (
  "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  "many_collection" VARCHAR(64) NOT NULL,
  "many_field" VARCHAR(64) NOT NULL,
  "one_collection" VARCHAR(64),
  "one_field" VARCHAR(64),
  "one_collection_field" VARCHAR(64),
  "one_allowed_collections" TEXT,
  "junction_field" VARCHAR(64),
  "sort_field" VARCHAR(64),
  "one_deselect_action" VARCHAR(255) NOT NULL DEFAULT 'nullify'
);
CREATE TABLE "directus_revisions" (
  "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  "activity" INTEGER NOT NULL,
  "collection" VARCHAR(64) NOT NULL,
  "item" VARCHAR(255) NOT NULL,
  "data" JSON_TEXT,
  "delta" JSON_TEXT,
  "parent" INTEGER,
  "version" UUID_TEXT,
  FOREIGN KEY ("activity") REFERENCES "directus_activity" ("id") ON UPDATE NO ACTION ON DELETE CASCADE,
  FOREIGN KEY ("parent") REFERENCES "directus_revisions" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
CREATE TABLE "directus_roles" (
  "id" UUID_TEXT NOT NULL PRIMARY KEY,
  "name" VARCHAR(100) NOT NULL,
  "icon" VARCHAR(64) NOT NULL DEFAULT 'supervised_user_circle',
  "description" TEXT,
  "parent" UUID_TEXT,
  FOREIGN KEY ("parent") REFERENCES "directus_roles" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION
);
CREATE TABLE "directus_sessions" (
  "token" VARCHAR(64) NOT NULL PRIMARY KEY,
  "user" UUID_TEXT,
  "expires" TIMESTAMP_TEXT NOT NULL,
  "ip" VARCHAR(255),
  "user_agent" TEXT,
  "share" UUID_TEXT,
  "origin" VARCHAR(255),
  "next_token" VARCHAR(64),
  "oauth_client" VARCHAR(255),
  FOREIGN KEY ("user") REFERENCES "directus_users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
CREATE TABLE "directus_settings" (
  "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  "project_name" VARCHAR(100) NOT NULL DEFAULT 'Loggia',
  "project_url" VARCHAR(255),
  "project_color" VARCHAR(255) NOT NULL DEFAULT '#6644FF',
  "project_logo" UUID_TEXT,
  "public_foreground" UUID_TEXT,
  "public_background" UUID_TEXT,
  "public_note" TEXT,
  "auth_login_attempts" INTEGER DEFAULT 25,
  "auth_password_policy" VARCHAR(100),
  "storage_asset_transform" VARCHAR(7) DEFAULT 'all',
  "storage_asset_presets" JSON_TEXT,
  "custom_css" TEXT,
  "storage_default_folder" UUID_TEXT,
  "basemaps" JSON_TEXT,
  "mapbox_key" VARCHAR(255),
  "module_bar" JSON_TEXT,
  "project_descriptor" VARCHAR(100),
  "default_language" VARCHAR(255) NOT NULL DEFAULT 'en-US',
  "custom_aspect_ratios" JSON_TEXT,
  "public_favicon" UUID_TEXT,
  "default_appearance" VARCHAR(255) NOT NULL DEFAULT 'auto',
  "default_theme_light" VARCHAR(255),
  "theme_light_overrides" JSON_TEXT,
  "default_theme_dark" VARCHAR(255),
  "theme_dark_overrides" JSON_TEXT,
  "report_error_url" VARCHAR(255),
  "report_bug_url" VARCHAR(255),
  "report_feature_url" VARCHAR(255),
  "public_registration" BOOLEAN NOT NULL DEFAULT 0,
  "public_registration_verify_email" BOOLEAN NOT NULL DEFAULT 1,
  "public_registration_role" UUID_TEXT,
  "public_registration_email_filter" JSON_TEXT,
  "visual_editor_urls" JSON_TEXT,
  "project_id" UUID_TEXT,
  "project_owner" VARCHAR(255),
  "project_usage" VARCHAR(255),
  "org_name" VARCHAR(255),
  "product_updates" BOOLEAN NOT NULL DEFAULT 0,
  "accepted_terms" BOOLEAN NOT NULL DEFAULT 0,
  "project_status" VARCHAR(255),
  "default_save_action" VARCHAR(255) NOT NULL DEFAULT 'save-and-quit',
  "collaborative_editing_enabled" BOOLEAN NOT NULL DEFAULT 0,
  "mcp_enabled" BOOLEAN NOT NULL DEFAULT 0,
  "mcp_allow_deletes" BOOLEAN NOT NULL DEFAULT 0,
  "mcp_prompts_collection" VARCHAR(255),
  "mcp_system_prompt_enabled" BOOLEAN NOT NULL DEFAULT 1,
  "mcp_system_prompt" TEXT,
  "mcp_max_rows" INTEGER NOT NULL DEFAULT 100,
  "mcp_max_tokens" INTEGER NOT NULL DEFAULT 20000,
  "mcp_oauth_enabled" BOOLEAN NOT NULL DEFAULT 0,
  "mcp_oauth_dcr_enabled" BOOLEAN NOT NULL DEFAULT 0,
  "mcp_oauth_cimd_enabled" BOOLEAN NOT NULL DEFAULT 0,
  "ai_openai_api_key" TEXT,
  "ai_anthropic_api_key" TEXT,
  "ai_google_api_key" TEXT,
  "ai_openai_compatible_api_key" TEXT,
  "ai_openai_compatible_base_url" TEXT,
  "ai_openai_compatible_name" TEXT,
  "ai_openai_compatible_models" JSON_TEXT,
  "ai_openai_compatible_headers" JSON_TEXT,
  "ai_openai_allowed_models" JSON_TEXT,
  "ai_anthropic_allowed_models" JSON_TEXT,
  "ai_google_allowed_models" JSON_TEXT,
  "ai_system_prompt" TEXT,
  "ai_translation_default_model" TEXT,
  "ai_translation_glossary" JSON_TEXT,
  "ai_translation_style_guide" TEXT,
  FOREIGN KEY ("project_logo") REFERENCES "directus_files" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  FOREIGN KEY ("public_foreground") REFERENCES "directus_files" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  FOREIGN KEY ("public_background") REFERENCES "directus_files" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  FOREIGN KEY ("public_favicon") REFERENCES "directus_files" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION,
  FOREIGN KEY ("storage_default_folder") REFERENCES "directus_folders" ("id") ON UPDATE NO ACTION ON DELETE SET NULL,
  FOREIGN KEY ("public_registration_role") REFERENCES "directus_roles" ("id") ON UPDATE NO ACTION ON DELETE SET NULL
);
INSERT INTO "directus_settings" VALUES(1,'Loggia',NULL,'#6644FF',NULL,NULL,NULL,NULL,25,NULL,'all',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'en-US',NULL,NULL,'auto',NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,NULL,'save-and-quit',0,0,0,NULL,1,NULL,100,20000,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "directus_translations" (
  "id" UUID_TEXT NOT NULL PRIMARY KEY,
  "language" VARCHAR(255) NOT NULL,
  "key" VARCHAR(255) NOT NULL,
  "value" TEXT NOT NULL
);
CREATE TABLE "directus_users" (
  "id" UUID_TEXT NOT NULL PRIMARY KEY,
  "first_name" VARCHAR(50),
  "last_name" VARCHAR(50),
  "email" VARCHAR(128),
  "password" VARCHAR(255),
  "location" VARCHAR(255),
  "title" VARCHAR(50),
  "description" TEXT,
  "tags" JSON_TEXT,
  "avatar" UUID_TEXT,
  "language" VARCHAR(255),
  "tfa_secret" VARCHAR(255),
  "status" VARCHAR(16) NOT NULL DEFAULT 'active',
  "role" UUID_TEXT,
  "token" VARCHAR(255),
  "last_access" TIMESTAMP_TEXT,
  "last_page" VARCHAR(255),
  "provider" VARCHAR(128) NOT NULL DEFAULT 'default',
  "external_identifier" VARCHAR(255),
  "auth_data" JSON_TEXT,
  "email_notifications" BOOLEAN NOT NULL DEFAULT 1,
  "appearance" VARCHAR(255),
  "theme_dark" VARCHAR(255),
  "theme_light" VARCHAR(255),
  "theme_light_overrides" JSON_TEXT,
  "theme_dark_overrides" JSON_TEXT,
  "text_direction" VARCHAR(255) NOT NULL DEFAULT 'auto',
  FOREIGN KEY ("role") REFERENCES "directus_roles" ("id") ON UPDATE NO ACTION ON DELETE SET NULL
);
CREATE TABLE "loggia_migrations" (
  "number" INT NOT NULL PRIMARY KEY,
  "name" TEXT NOT NULL,
  "ran_on" TIMESTAMP_TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
);
INSERT INTO "loggia_migrations" VALUES(1,'the system tables','2026-11-21T07:40:14.836Z');
CREATE TABLE loggia_schema_version (id INTEGER PRIMARY KEY, version BIGINT NOT NULL);
INSERT INTO "loggia_schema_version" VALUES(1,1);
CREATE INDEX "directus_fields.collection.index" ON "directus_fields" ("collection");
CREATE INDEX "directus_roles.parent.foreign_key" ON "directus_roles" ("parent");
CREATE INDEX "directus_permissions.policy.index" ON "directus_permissions" ("policy");
CREATE INDEX "directus_permissions.policy.foreign_key" ON "directus_permissions" ("policy");
CREATE UNIQUE INDEX "directus_users.email.unique" ON "directus_users" ("email");
CREATE INDEX "directus_users.role.index" ON "directus_users" ("role");
CREATE UNIQUE INDEX "directus_users.token.unique" ON "directus_users" ("token");
CREATE UNIQUE INDEX "directus_users.external_identifier.unique" ON "directus_users" ("external_identifier");
CREATE INDEX "directus_users.role.foreign_key" ON "directus_users" ("role");
CREATE INDEX "directus_access.role.index" ON "directus_access" ("role");
CREATE INDEX "directus_access.user.index" ON "directus_access" ("user");
CREATE INDEX "directus_access.policy.index" ON "directus_access" ("policy");
CREATE INDEX "directus_access.role.foreign_key" ON "directus_access" ("role");
CREATE INDEX "directus_access.user.foreign_key" ON "directus_access" ("user");
CREATE INDEX "directus_access.policy.foreign_key" ON "directus_access" ("policy");
CREATE INDEX "directus_sessions.user.index" ON "directus_sessions" ("user");
CREATE INDEX "directus_sessions.expires.index" ON "directus_sessions" ("expires");
CREATE INDEX "directus_sessions.user.foreign_key" ON "directus_sessions" ("user");
CREATE INDEX "directus_folders.parent.foreign_key" ON "directus_folders" ("parent");
CREATE INDEX "directus_files.folder.foreign_key" ON "directus_files" ("folder");
CREATE INDEX "directus_files.uploaded_by.foreign_key" ON "directus_files" ("uploaded_by");
CREATE INDEX "directus_files.modified_by.foreign_key" ON "directus_files" ("modified_by");
CREATE INDEX "directus_settings.project_logo.foreign_key" ON "directus_settings" ("project_logo");
CREATE INDEX "directus_settings.public_foreground.foreign_key" ON "directus_settings" ("public_foreground");
CREATE INDEX "directus_settings.public_background.foreign_key" ON "directus_settings" ("public_background");
CREATE INDEX "directus_settings.public_favicon.foreign_key" ON "directus_settings" ("public_favicon");
CREATE INDEX "directus_settings.storage_default_folder.foreign_key" ON "directus_settings" ("storage_default_folder");
CREATE INDEX "directus_settings.public_registration_role.foreign_key" ON "directus_settings" ("public_registration_role");
CREATE INDEX "directus_revisions.activity.index" ON "directus_revisions" ("activity");
CREATE INDEX "directus_revisions.parent.index" ON "directus_revisions" ("parent");
CREATE INDEX "directus_revisions.activity.foreign_key" ON "directus_revisions" ("activity");
CREATE INDEX "directus_revisions.parent.foreign_key" ON "directus_revisions" ("parent");
CREATE INDEX "directus_presets.user.foreign_key" ON "directus_presets" ("user");
CREATE INDEX "directus_presets.role.foreign_key" ON "directus_presets" ("role");
INSERT INTO "directus_users" ("id", "email", "status") VALUES ('3fa85f64-5717-4562-b3fc-2c963f66afa6', 'ann@example.com', 'active');
INSERT INTO "directus_permissions" ("collection", "action", "fields", "policy") VALUES ('articles', 'read', 'id,title', 'abf8a154-5b1c-4a46-ac9c-7300570f4f17');
INSERT INTO "directus_activity" ("action", "collection", "item") VALUES ('create', 'articles', '1');
INSERT INTO "directus_revisions" ("activity", "collection", "item", "data") VALUES (1, 'articles', '1', '{"title": "one"}');
CREATE TABLE "articles" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "title" VARCHAR(255));
INSERT INTO "articles" ("title") VALUES ('one');
COMMIT;
